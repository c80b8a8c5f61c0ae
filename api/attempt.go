package api

import (
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// messageStatus is where a message stands, as the wire counts it.
type messageStatus int

const (
	statusSuccess messageStatus = 0
	statusPending messageStatus = 1 // nothing has it: a delivery is being sent from the moment it exists
	statusFail    messageStatus = 2
	statusSending messageStatus = 3
)

func (s messageStatus) text() string {
	return [...]string{"success", "pending", "fail", "sending"}[s]
}

// statusOf is the wire's view of a delivery.
func statusOf(state posthorn.DeliveryState) messageStatus {
	switch state {
	case posthorn.Delivered:
		return statusSuccess
	case posthorn.Failed, posthorn.Cancelled:
		return statusFail
	default:
		return statusSending
	}
}

// states are the deliveries that have a status.
func (s messageStatus) states() []posthorn.DeliveryState {
	switch s {
	case statusSuccess:
		return []posthorn.DeliveryState{posthorn.Delivered}
	case statusFail:
		return []posthorn.DeliveryState{posthorn.Failed, posthorn.Cancelled}
	case statusSending:
		return []posthorn.DeliveryState{posthorn.Pending, posthorn.Retrying, posthorn.Held}
	default:
		return nil
	}
}

type messageAttemptOut struct {
	ID                 string              `json:"id"`
	MsgID              string              `json:"msgId" doc:"The message's id."`
	EndpointID         string              `json:"endpointId" doc:"The endpoint's id."`
	URL                string              `json:"url" doc:"Where it went, without user name, password, query and fragment."`
	Status             messageStatus       `json:"status" enum:"0,2" doc:"0 success, 2 failure."`
	StatusText         string              `json:"statusText" enum:"success,fail" doc:"The status as a word."`
	TriggerType        int                 `json:"triggerType" enum:"0,1" doc:"0 by itself, 1 by hand."`
	Trigger            string              `json:"trigger" enum:"auto,manual,probe" doc:"What caused it: the schedule, somebody, or the wish to know whether an endpoint that failed for every message answers again."`
	ResponseStatusCode int                 `json:"responseStatusCode" doc:"0 if no response came."`
	ResponseDurationMs int64               `json:"responseDurationMs" doc:"How long it took, in milliseconds."`
	Response           string              `json:"response" doc:"The body's beginning, or why there was no response."`
	ResponseEncoding   string              `json:"responseEncoding,omitempty" enum:"base64" doc:"Present if the response is not text."`
	ResponseTruncated  bool                `json:"responseTruncated,omitempty" doc:"The body was longer than what is kept."`
	ResponseHeaders    map[string][]string `json:"responseHeaders,omitempty" doc:"The headers of the response."`
	AttemptNumber      int                 `json:"attemptNumber" doc:"1 for the first attempt of the delivery."`
	ErrorClass         string              `json:"errorClass,omitempty" doc:"Why it failed, for programs."`
	Message            string              `json:"message,omitempty" doc:"What happened, for people."`
	NextAttempt        *time.Time          `json:"nextAttempt,omitempty" doc:"When the delivery is tried again. Absent: it isn't."`
	Timestamp          time.Time           `json:"timestamp" doc:"When the request was made."`
}

func showAttempt(a posthorn.Attempt, withContent bool) messageAttemptOut {
	out := messageAttemptOut{
		ID: a.ID, MsgID: a.MessageID, EndpointID: a.EndpointID, URL: a.URL, Status: statusFail,
		ResponseStatusCode: a.Status, ResponseDurationMs: a.Duration.Milliseconds(),
		Trigger: string(a.Trigger), AttemptNumber: a.Number, ErrorClass: a.ErrorClass, Message: a.Message,
		NextAttempt: optionalTimestamp(a.NextAt), Timestamp: timestamp(a.StartedAt),
	}
	if a.Success {
		out.Status = statusSuccess
	}
	out.StatusText = out.Status.text()
	if a.Trigger == posthorn.Manual {
		out.TriggerType = 1
	}
	if !withContent {
		return out
	}
	out.ResponseTruncated, out.ResponseHeaders = a.Truncated, a.Header
	if a.Status == 0 && len(a.Body) == 0 { // an expunged one has what stands for its body
		out.Response = a.Message
		return out
	}
	out.Response, out.ResponseEncoding = showResponse(a.Body, a.Truncated)
	return out
}

// showResponse shows text as it is and everything else in base64. Text that was cut in the middle of a character loses
// that character.
func showResponse(body []byte, truncated bool) (shown, encoding string) {
	text := body
	if truncated {
		text = wholeCharacters(body)
	}
	if utf8.Valid(text) {
		return string(text), ""
	}
	return base64.StdEncoding.EncodeToString(body), "base64"
}

// wholeCharacters drops an incomplete character at the end.
func wholeCharacters(text []byte) []byte {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return text[:len(text)-back]
			}
			break
		}
	}
	return text
}

// AttemptParams narrow a list of attempts. They are exported for huma, which finds embedded fields only then.
type AttemptParams struct {
	Status          Optional[int] `query:"status" minimum:"0" maximum:"3" doc:"Only attempts with this status: 0 success, 2 failure."`
	StatusCodeClass Optional[int] `query:"status_code_class" minimum:"0" maximum:"500" multipleOf:"100" doc:"Only attempts answered with a status of this class, such as 200; 0 for no response."`
}

type listAttemptsByEndpointIn struct {
	EndpointPath
	PageParams
	WindowParams
	ContentParam
	AttemptParams
}

func (s *Server) listAttemptsByEndpoint(ctx context.Context, in *listAttemptsByEndpointIn) (*answer[listResponse[messageAttemptOut]], error) {
	found, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	filter := store.AttemptFilter{EndpointID: found.ID}
	return s.listAttempts(ctx, filter, in.PageParams, in.WindowParams, in.AttemptParams, in.WithContent)
}

type listAttemptsByMessageIn struct {
	MessagePath
	PageParams
	WindowParams
	ContentParam
	AttemptParams
	EndpointID string `query:"endpoint_id" doc:"Only attempts at this endpoint, given by id or uid."`
}

func (s *Server) listAttemptsByMessage(ctx context.Context, in *listAttemptsByMessageIn) (*answer[listResponse[messageAttemptOut]], error) {
	found, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	filter := store.AttemptFilter{MessageID: found.ID}
	if in.EndpointID != "" {
		if filter.EndpointID, err = s.endpointID(ctx, found.AppID, in.EndpointID); err != nil {
			return nil, err
		}
	}
	return s.listAttempts(ctx, filter, in.PageParams, in.WindowParams, in.AttemptParams, in.WithContent)
}

type listAttemptsByDestinationIn struct {
	MessagePath
	EndpointID string `path:"endpoint_id" doc:"The endpoint's id or uid."`
	PageParams
	WindowParams
	ContentParam
	AttemptParams
}

func (s *Server) listAttemptsByDestination(ctx context.Context, in *listAttemptsByDestinationIn) (*answer[listResponse[messageAttemptOut]], error) {
	return s.listAttemptsByMessage(ctx, &listAttemptsByMessageIn{
		in.MessagePath, in.PageParams, in.WindowParams, in.ContentParam, in.AttemptParams, in.EndpointID,
	})
}

// endpointID resolves a uid. An id is taken as it is: the endpoint may be deleted, its attempts are not.
func (s *Server) endpointID(ctx context.Context, appID, ref string) (string, error) {
	if posthorn.EndpointID.Valid(ref) {
		return ref, nil
	}
	found, err := s.store.Endpoint(ctx, appID, ref)
	return found.ID, err
}

func (s *Server) listAttempts(ctx context.Context, f store.AttemptFilter, page PageParams, w WindowParams, narrow AttemptParams, withContent bool) (*answer[listResponse[messageAttemptOut]], error) {
	at, bounds, err := page.timed(w, posthorn.AttemptID, s.now())
	if err != nil {
		return nil, err
	}
	var found store.List[posthorn.Attempt]
	if narrow.narrow(&f, bounds, w) {
		if found, err = s.store.ListAttempts(ctx, f, at); err != nil {
			return nil, err
		}
	}
	return listed(found, func(a posthorn.Attempt) string { return a.ID }, func(a posthorn.Attempt) messageAttemptOut {
		return showAttempt(a, withContent)
	}), nil
}

// narrow completes a filter. It reports whether there can be attempts that it lets through: all have ended, one way or
// the other.
func (p AttemptParams) narrow(f *store.AttemptFilter, bounds store.Window, w WindowParams) bool {
	f.Window, f.Channel, f.Tag, f.EventTypes = bounds, w.Channel, w.Tag, w.EventTypes
	if p.StatusCodeClass.Set {
		f.StatusClass = &p.StatusCodeClass.Value
	}
	if !p.Status.Set {
		return true
	}
	status := messageStatus(p.Status.Value)
	success := status == statusSuccess
	f.Success = &success
	return success || status == statusFail
}

type getAttemptIn struct {
	MessagePath
	AttemptID string `path:"attempt_id" doc:"The attempt's id."`
}

func (s *Server) getAttempt(ctx context.Context, in *getAttemptIn) (*answer[messageAttemptOut], error) {
	m, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	found, err := s.store.Attempt(ctx, m.ID, in.AttemptID)
	if err != nil {
		return nil, err
	}
	return &answer[messageAttemptOut]{Body: showAttempt(found, true)}, nil
}

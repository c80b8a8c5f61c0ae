package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/internal/store"
)

const (
	maxStatsWindow  = 28 * day
	statsTolerance  = 5 * time.Minute  // of the window, for callers who computed it a moment ago
	futureTolerance = 10 * time.Second // for callers whose clock is ahead
	maxStatsPeriods = 2016             // a week of five-minute periods
)

func invalidRange(format string, args ...any) error {
	return fail(http.StatusBadRequest, "invalid_range", fmt.Sprintf(format, args...))
}

// checkRange refuses a range of statistics that is too long or lies in the future.
func checkRange(since, until, now time.Time) error {
	switch {
	case until.After(now.Add(futureTolerance)):
		return invalidRange("The end of the range lies in the future")
	case since.After(until):
		return invalidRange("The range ends before it begins")
	case until.Sub(since) > maxStatsWindow+statsTolerance:
		return invalidRange("The range has more than 28 days")
	default:
		return nil
	}
}

// rangeWindow is a range with both ends, to the millisecond.
func rangeWindow(since, until time.Time) store.Window {
	return store.Window{After: since.Add(-time.Millisecond), Before: until.Add(time.Millisecond)}
}

type endpointStatsIn struct {
	EndpointPath
	Since time.Time `query:"since" doc:"Where the range begins. Default: 28 days before its end."`
	Until time.Time `query:"until" doc:"Where the range ends. Default: now."`
}

type endpointStatsOut struct {
	Success  int `json:"success" doc:"Attempts that were answered with 2xx."`
	Fail     int `json:"fail" doc:"Attempts that were not."`
	Pending  int `json:"pending" doc:"Messages of the range on their first attempt."`
	Sending  int `json:"sending" doc:"Messages of the range that wait for another attempt, or for the endpoint to take messages again."`
	Canceled int `json:"canceled" doc:"Messages of the range that were given up without another attempt."`
}

// older leaves out what came later.
func (e endpointStatsOut) older() any { return reshape(e, "canceled") }

func (s *Server) getEndpointStats(ctx context.Context, in *endpointStatsIn) (*answer[endpointStatsOut], error) {
	found, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	now := s.now()
	until, since := in.Until, in.Since
	if until.IsZero() {
		until = now
	}
	if since.IsZero() {
		since = until.Add(-maxStatsWindow)
	}
	if err := checkRange(since, until, now); err != nil {
		return nil, err
	}
	figures, err := s.store.EndpointFigures(ctx, found.ID, rangeWindow(since, until))
	if err != nil {
		return nil, err
	}
	return &answer[endpointStatsOut]{Body: endpointStatsOut{
		Success: figures.Success, Fail: figures.Failure, Pending: figures.Pending, Sending: figures.Sending, Canceled: figures.Cancelled,
	}}, nil
}

// EventTypesParam narrows statistics.
type EventTypesParam struct {
	EventTypes []string `query:"event_types" nullable:"false" doc:"Only messages of these event types: separated by commas, repeated, or both."`
}

// Resolve collects the list in all its spellings.
func (p *EventTypesParam) Resolve(ctx huma.Context) []error {
	p.EventTypes = queryList(ctx, "event_types")
	return nil
}

func (p *EventTypesParam) check() error {
	return checkNames("query.event_types", p.EventTypes, 0, maxName)
}

type appStatsIn struct {
	AppPath
	Since time.Time `query:"since" required:"true" doc:"Where the range begins."`
	Until time.Time `query:"until" required:"true" doc:"Where the range ends, 28 days later at most."`
	EventTypesParam
}

type appStatsOut struct {
	ByEventType   map[string]eventTypeStatsOut `json:"by_event_type" doc:"Event types to which something happened."`
	TotalSuccess  int                          `json:"total_success" doc:"Attempts that were answered with 2xx."`
	TotalFailure  int                          `json:"total_failure" doc:"Attempts that were not."`
	TotalCanceled int                          `json:"total_canceled" doc:"Deliveries of the range's messages that were given up without another attempt."`
	Since         time.Time                    `json:"since" doc:"Where the range begins."`
	Until         time.Time                    `json:"until" doc:"Where the range ends."`
}

type eventTypeStatsOut struct {
	Success  int `json:"success" doc:"Attempts that were answered with 2xx."`
	Failure  int `json:"failure" doc:"Attempts that were not."`
	Canceled int `json:"canceled" doc:"Deliveries of the range's messages that were given up without another attempt."`
}

func (s *Server) getAppStats(ctx context.Context, in *appStatsIn) (*answer[appStatsOut], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := checkRange(in.Since, in.Until, s.now()); err != nil {
		return nil, err
	}
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	figures, err := s.store.FiguresByEventType(ctx, owner.ID, in.EventTypes, rangeWindow(in.Since, in.Until))
	if err != nil {
		return nil, err
	}
	out := appStatsOut{ByEventType: make(map[string]eventTypeStatsOut, len(figures)), Since: timestamp(in.Since), Until: timestamp(in.Until)}
	for name, f := range figures {
		out.ByEventType[name] = eventTypeStatsOut{Success: f.Success, Failure: f.Failure, Canceled: f.Cancelled}
		out.TotalSuccess += f.Success
		out.TotalFailure += f.Failure
		out.TotalCanceled += f.Cancelled
	}
	return &answer[appStatsOut]{Body: out}, nil
}

// statsPeriod is the length of a data point.
type statsPeriod string

// length of a period, and the range that it has by default.
func (p statsPeriod) length() (length, byDefault time.Duration) {
	switch p {
	case "FiveMinutes":
		return 5 * time.Minute, day
	case "OneHour":
		return time.Hour, 7 * day
	default:
		return day, maxStatsWindow
	}
}

type statsSeriesIn struct {
	AppPath
	StartDate time.Time   `query:"startDate" doc:"Where the range begins; rounded down to a whole period. Default: 28 days before its end; 7 days with OneHour, one day with FiveMinutes."`
	EndDate   time.Time   `query:"endDate" doc:"Where the range ends; rounded up to a whole period. Default: now."`
	Period    statsPeriod `query:"period" enum:"OneDay,OneHour,FiveMinutes" default:"OneDay" doc:"The length of a data point. The range has 28 days at most; with FiveMinutes, 7."`
	EventTypesParam
}

type statsSeriesOut struct {
	StartDate time.Time       `json:"startDate" doc:"Where the first data point begins, in whole periods of UTC."`
	EndDate   time.Time       `json:"endDate" doc:"Where the last data point ends."`
	Period    statsPeriod     `json:"period" enum:"OneDay,OneHour,FiveMinutes" doc:"The length of a data point."`
	Data      statsSeriesData `json:"data" doc:"One number for each period, oldest first."`
}

type statsSeriesData struct {
	SuccessCount  []int `json:"successCount" nullable:"false" doc:"Attempts that were answered with 2xx."`
	FailureCount  []int `json:"failureCount" nullable:"false" doc:"Attempts that were not."`
	CanceledCount []int `json:"canceledCount" nullable:"false" doc:"Deliveries of the period's messages that were given up without another attempt."`
}

// older leaves out what came later.
func (s statsSeriesOut) older() any {
	out := reshape(s)
	data, err := json.Marshal(reshape(s.Data, "canceledCount"))
	if err != nil {
		panic(fmt.Errorf("encoding statistics: %w", err))
	}
	out["data"] = data
	return out
}

func (s *Server) getStatsSeries(ctx context.Context, in *statsSeriesIn) (*answer[statsSeriesOut], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	now := s.now()
	length, byDefault := in.Period.length()
	start, end := in.StartDate, in.EndDate
	if end.IsZero() {
		end = now
	}
	if start.IsZero() {
		start = end.Add(-byDefault)
	}
	if err := checkRange(start, end, now); err != nil {
		return nil, err
	}
	bounds := periods(start, end, length)
	if len(bounds)-1 > maxStatsPeriods+1 { // a week that does not begin with a period touches one more
		return nil, invalidRange("The range has more than %d periods", maxStatsPeriods)
	}
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	figures, err := s.store.FiguresByPeriod(ctx, owner.ID, in.EventTypes, bounds)
	if err != nil {
		return nil, err
	}
	out := statsSeriesOut{StartDate: bounds[0], EndDate: bounds[len(bounds)-1], Period: in.Period}
	for _, f := range figures {
		out.Data.SuccessCount = append(out.Data.SuccessCount, f.Success)
		out.Data.FailureCount = append(out.Data.FailureCount, f.Failure)
		out.Data.CanceledCount = append(out.Data.CanceledCount, f.Cancelled)
	}
	return &answer[statsSeriesOut]{Body: out}, nil
}

// periods returns the bounds of the whole periods that a range touches; one at least.
func periods(start, end time.Time, length time.Duration) []time.Time {
	bounds := []time.Time{start.UTC().Truncate(length)}
	for {
		next := bounds[len(bounds)-1].Add(length)
		bounds = append(bounds, next)
		if !next.Before(end) {
			return bounds
		}
	}
}

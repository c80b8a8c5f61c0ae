package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
)

// recordedAnswer is an answer that may be given again.
type recordedAnswer struct {
	Status int
	Header http.Header
	Body   []byte
}

// record executes the request and keeps the answer if it is one of success. The caller gets it after that: an answer that
// was seen is given again.
func (k *keyedRequest) record() error {
	outer := k.x.humaContext
	recorder := &recorder{humaContext: outer, answer: recordedAnswer{Header: http.Header{}}}
	k.x.humaContext = recorder
	ended := false
	defer func() {
		k.x.humaContext = outer
		if !ended { // it panicked
			k.drop()
		}
	}()
	k.next(k.x)
	ended = true

	answer := recorder.answer
	if answer.Status/100 != 2 {
		k.drop()
		answer.writeTo(outer)
		return nil
	}
	if err := k.keep(answer); err != nil {
		// What the request asked for is done: to say otherwise would have the caller repeat it.
		ctx := k.x.Context()
		k.log.LogAttrs(ctx, slog.LevelError, "an answer could not be kept for a repeated request", requestID(ctx), slog.Any("error", err))
	}
	answer.writeTo(outer)
	return nil
}

// keep stores an answer, sealed with the key itself: it may hold a token, and whoever reads the database knows only a
// digest of the key.
func (k *keyedRequest) keep(answer recordedAnswer) error {
	encoded, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	box, err := k.box()
	if err != nil {
		return err
	}
	done := k.claim
	done.Answer = box.Seal(encoded, string(k.claim.ID))
	done.ExpiresAt = k.now().Add(answerLife)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.x.ctx), maxHandling)
	defer cancel()
	return k.store.AnswerClaim(ctx, done)
}

// replay gives an answer again.
func (k *keyedRequest) replay(found store.Claim) error {
	box, err := k.box()
	if err != nil {
		return err
	}
	encoded, err := box.Open(found.Answer, string(found.ID))
	if err != nil {
		return fmt.Errorf("the answer of claim %x: %w", found.ID, err)
	}
	var answer recordedAnswer
	if err := json.Unmarshal(encoded, &answer); err != nil {
		return fmt.Errorf("the answer of claim %x: %w", found.ID, err)
	}
	answer.Header.Set(replayedHeader, "true")
	answer.writeTo(k.x.humaContext)
	return nil
}

func (k *keyedRequest) box() (*seal.Box, error) { return seal.New([]byte(k.key), "answer") }

// drop lets the next request with the key be executed. If that fails the claim ends with time.
func (k *keyedRequest) drop() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.x.ctx), maxHandling)
	defer cancel()
	if err := k.store.DropClaim(ctx, k.claim); err != nil {
		k.log.WarnContext(ctx, "a claim could not be dropped and ends with time", requestID(ctx), slog.Any("error", err))
	}
}

func (a *recordedAnswer) writeTo(ctx huma.Context) {
	for name, values := range a.Header {
		for i, value := range values {
			if i == 0 {
				ctx.SetHeader(name, value)
			} else {
				ctx.AppendHeader(name, value)
			}
		}
	}
	ctx.SetStatus(a.Status)
	if len(a.Body) > 0 {
		_, _ = ctx.BodyWriter().Write(a.Body) // a caller that has gone away can come back for it
	}
}

// recorder keeps an answer instead of sending it.
type recorder struct {
	humaContext
	answer recordedAnswer
}

func (r *recorder) Unwrap() huma.Context            { return r.humaContext }
func (r *recorder) SetStatus(code int)              { r.answer.Status = code }
func (r *recorder) Status() int                     { return r.answer.Status }
func (r *recorder) SetHeader(name, value string)    { r.answer.Header.Set(name, value) }
func (r *recorder) AppendHeader(name, value string) { r.answer.Header.Add(name, value) }
func (r *recorder) BodyWriter() io.Writer           { return (*recordedBody)(r) }

type recordedBody recorder

func (b *recordedBody) Write(p []byte) (int, error) {
	b.answer.Body = append(b.answer.Body, p...)
	return len(p), nil
}

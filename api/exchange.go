package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
)

// exchange is a request and its answer on their way through huma. It carries the context that authentication has
// enriched, and lets a transformer choose the status of an answer that huma itself has composed. The alternative for
// the latter, huma's package variable NewError, would change every API in the process.
type exchange struct {
	humaContext
	ctx    context.Context
	status int   // replaces the status that huma sets, unless 0
	once   *once // the request's key, where the operation settles its claim
}

// exchangeOf returns the exchange that authentication has made.
func exchangeOf(ctx huma.Context) *exchange {
	if x, ok := ctx.(*exchange); ok {
		return x
	}
	return &exchange{humaContext: ctx, ctx: ctx.Context()}
}

// humaContext is an embeddable name: a field called Context would clash with the method.
type humaContext huma.Context

func (x *exchange) Context() context.Context { return x.ctx }

// Unwrap lets humagin find its own context.
func (x *exchange) Unwrap() huma.Context { return x.humaContext }

func (x *exchange) SetStatus(code int) {
	if x.status != 0 {
		code = x.status
	}
	if x.once != nil && x.once.replayed && code/100 == 2 {
		x.SetHeader(replayedHeader, "true")
	}
	x.humaContext.SetStatus(code)
}

// Header takes every body for JSON, and JSON for what is wanted. The API speaks nothing else, and clients as simple as
// curl and browsers name other types.
func (x *exchange) Header(name string) string {
	if name == "Content-Type" || name == "Accept" {
		return jsonType
	}
	return x.humaContext.Header(name)
}

package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/posthorn/posthorn"
)

const (
	bearerScheme = "bearer"
	scopeKey     = "scope"
	needKey      = "need"
)

// scope says who may call an operation.
type scope int

const (
	public       scope = iota // anybody
	application               // the token of the application in the path, or of its organisation
	organisation              // only the organisation's token
)

// caller is whom a token speaks for, and how far.
type caller struct {
	org          string
	app          string         // the only application that it may touch; empty if it speaks for the organisation
	token        string         // identifies the token
	session      string         // names the tokens that can be revoked together with it
	flags        []string       // event types with these flags are shown
	readOnly     bool           // it may read, signing secrets excepted
	capabilities []Capability   // nil = all
	networks     []netip.Prefix // where it may be used from; none = anywhere
	issued       time.Time      // to the second; zero if the token doesn't say
	expires      time.Time
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// authenticate lets a request through to an operation if its token may call it. It is the outermost of huma's layers.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	x := &exchange{humaContext: ctx, ctx: ctx.Context()}
	op := ctx.Operation()
	if required, _ := op.Metadata[scopeKey].(scope); required == public {
		next(x)
		return
	}
	x.SetHeader("Cache-Control", "no-store") // answers may hold secrets, and differ by token
	who, err := s.identifyCaller(x.ctx, x.Header("Authorization"))
	if err == nil {
		err = s.permit(x, who)
	}
	if err == nil {
		err = refuseLongBody(humagin.Unwrap(ctx).Request, op)
	}
	if err != nil {
		s.writeError(x, err)
		return
	}
	x.ctx = context.WithValue(x.ctx, callerKey{}, who)
	next(x)
}

// identifyCaller finds out whose request it is. Nothing here depends on what the request is about.
func (s *Server) identifyCaller(ctx context.Context, authorization string) (caller, error) {
	client := clientOf(ctx)
	if !s.clients.admits(client) {
		return caller{}, posthorn.Errorf(posthorn.Forbidden, "Requests from this address are not allowed")
	}
	who, err := s.tokens.verify(authorization)
	if err != nil {
		return caller{}, err
	}
	if err := s.revocations.check(ctx, who); err != nil {
		return caller{}, err
	}
	if len(who.networks) > 0 && !inside(who.networks, client) {
		return caller{}, posthorn.Errorf(posthorn.Forbidden, "The token may not be used from this address")
	}
	return who, nil
}

// permit checks what the token may do, and how often.
func (s *Server) permit(x *exchange, who caller) error {
	if err := s.countRequest(humagin.Unwrap(x).Writer.Header(), who); err != nil {
		return err
	}
	metadata := x.Operation().Metadata
	if metadata[scopeKey] == organisation && who.app != "" {
		return posthorn.Errorf(posthorn.Forbidden, "The token of an application may not do this.")
	}
	if need, _ := metadata[needKey].(Capability); !who.may(need) {
		return posthorn.Errorf(posthorn.Forbidden, "The token is limited and may not do this.")
	}
	return nil
}

// countRequest notes in the headers of the answer where the token's limit stands; 429 if it is exceeded.
func (s *Server) countRequest(header http.Header, who caller) error {
	if refusal := s.perToken.take(header, who.org+" "+who.token); refusal != nil {
		return refusal
	}
	return nil
}

// guard sets up what authentication remembers between requests.
func (s *Server) guard(limits RateLimits) (err error) {
	if s.revocations, err = newRevocations(s.store, s.now); err != nil {
		return err
	}
	if s.perToken, err = newLimiter(limits.Token, maxBuckets, s.now); err != nil {
		return err
	}
	s.perAddress, err = newLimiter(limits.Address, maxBuckets, s.now)
	return err
}

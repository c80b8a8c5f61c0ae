// Package api is Posthorn's HTTP API: Svix API v1 on Gin, with huma as the one source of validation and OpenAPI.
//
// Read routes.go for what there is, errors.go for what can go wrong, and the file of a resource for its operations. The
// package stores what it accepts and asks the Dispatcher to begin the delivery; it never sends anything itself.
package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
	"github.com/posthorn/posthorn/internal/store"
)

// basePath is where every operation begins.
const basePath = "/api/v1"

// Dispatcher begins deliveries. Its errors are those of Temporal; *posthorn.Error values say what the API answers.
type Dispatcher interface {
	// Start begins the delivery workflow of a stored message. Conflict: it has begun before. Unavailable: Temporal
	// doesn't answer.
	Start(ctx context.Context, m posthorn.Message) error
	// Resend sends a message to one endpoint again, once, as a manual attempt, and returns when that is durable.
	// Unavailable.
	Resend(ctx context.Context, m posthorn.Message, endpointID string) error
	// StartTask begins the workflow of a stored background task. Conflict: it has begun before. Unavailable.
	StartTask(ctx context.Context, t posthorn.Task) error
	// CancelTask has a task end between two steps. NotFound: it has no workflow that is running. Unavailable.
	CancelTask(ctx context.Context, id string) error
	// SendNow sends a message to one endpoint once, as a manual attempt, waits until that is recorded, and returns the
	// attempt's ID. Unavailable: also if it takes longer than an attempt may take.
	SendNow(ctx context.Context, m posthorn.Message, endpointID string) (attemptID string, err error)
	// Cancelled ends soon what waits for cancelled deliveries of a message. waits says that its first round is still to
	// come. Unavailable.
	Cancelled(ctx context.Context, m posthorn.Message, waits bool, cancelled []posthorn.Delivery) error
	// Ping reports whether Temporal answers.
	Ping(ctx context.Context) error
}

// SignatureType is a kind of signature.
type SignatureType string

// The kinds of signature, as Svix names them.
const (
	HMAC256 SignatureType = "hmac256" // a shared secret, whsec_
	Ed25519 SignatureType = "ed25519" // a key pair, whsk_ and whpk_
)

// Options are what a Server is made of.
type Options struct {
	Store       store.Store
	Catalogue   *catalogue.Table // default: one that reads from Store
	Dispatcher  Dispatcher
	Tokens      *Tokens       // verifies the bearer tokens of requests
	Clients     Clients       // who is served; default: everybody
	Limits      RateLimits    // default: none
	BodyTimeout time.Duration // for sending the body of a request; default: 30 seconds
	PublicURL   string        // where browsers find this server, for the links it gives out; default: http://127.0.0.1:8071
	// HTTPSOnly refuses endpoints with an http URL. Those that exist stay.
	HTTPSOnly bool
	// SignatureType is the kind of the keys that the server makes for endpoints; default HMAC256.
	SignatureType SignatureType
	Health        posthorn.HealthRules // as the attempts are recorded with; default: none
	Logger        *slog.Logger         // default: discard
	Now           func() time.Time     // default: time.Now
	Version       string               // shown in the OpenAPI document; default "dev"
}

func (o Options) validate() error {
	var problems []error
	if o.Store == nil {
		problems = append(problems, errors.New("Store is missing"))
	}
	if o.Dispatcher == nil {
		problems = append(problems, errors.New("Dispatcher is missing"))
	}
	if o.Tokens == nil {
		problems = append(problems, errors.New("Tokens is missing"))
	}
	if t := o.SignatureType; t != "" && t != HMAC256 && t != Ed25519 {
		problems = append(problems, fmt.Errorf("SignatureType is %q, not %s or %s", t, HMAC256, Ed25519))
	}
	return errors.Join(problems...)
}

// Server answers the API's requests. It is safe for concurrent use.
type Server struct {
	store      store.Store
	dispatcher Dispatcher
	tokens     *Tokens
	catalogue  *catalogue.Table
	log        *slog.Logger
	now        func() time.Time
	open       *openRequests
	room       *room
	httpsOnly  bool
	rules      posthorn.HealthRules
	signature  SignatureType
	handler    http.Handler

	revocations *revocations
	clients     Clients
	perToken    *limiter
	perAddress  *limiter
	publicURL   string
	bodyTimeout time.Duration
}

// New returns a server with all routes in place.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("options of the API: %w", err)
	}
	s := &Server{
		store:       o.Store,
		dispatcher:  o.Dispatcher,
		tokens:      o.Tokens,
		catalogue:   o.Catalogue,
		log:         cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
		now:         o.Now,
		open:        newOpenRequests(),
		room:        newRoom(),
		httpsOnly:   o.HTTPSOnly,
		rules:       o.Health,
		signature:   cmp.Or(o.SignatureType, HMAC256),
		clients:     o.Clients,
		bodyTimeout: cmp.Or(o.BodyTimeout, 30*time.Second),
		publicURL:   strings.TrimRight(cmp.Or(o.PublicURL, "http://127.0.0.1:8071"), "/"),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.catalogue == nil {
		s.catalogue = catalogue.New(o.Store)
	}
	if err := s.guard(o.Limits); err != nil {
		return nil, err
	}
	handler, err := s.build(cmp.Or(o.Version, "dev"))
	if err != nil {
		return nil, err
	}
	s.handler = handler
	return s, nil
}

// Handler serves the API under /api/v1. Limits on connections, headers and time are its server's business.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) build(version string) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode) // the only way to keep Gin from printing its route list to standard output
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	engine.Use(s.identify, s.logAccess, s.recoverPanic, allowAnyOrigin, s.locate, s.limitAddress)
	engine.NoRoute(func(c *gin.Context) { abort(c, errNoRoute) })
	engine.NoMethod(func(c *gin.Context) { abort(c, errNoMethod) })

	engine.Use(demandNames)
	wire := humagin.New(engine, s.config(version))
	wire.UseMiddleware(s.authenticate, s.idempotent)
	document, err := s.operations(wire)
	if err != nil {
		return nil, err
	}
	serve, err := s.serveDocument(document)
	if err != nil {
		return nil, err
	}
	engine.GET(documentPath, serve)
	servePortal(engine)
	serveDocs(engine)
	return withoutTrailingSlash(engine), nil
}

// config leaves out what huma serves by itself: its documentation page loads scripts from elsewhere, its schema links
// would add a field to every answer, and its own handler for the document is not safe for concurrent use.
func (s *Server) config(version string) huma.Config {
	c := huma.Config{
		OpenAPI:       skeleton(version),
		Formats:       formats(),
		DefaultFormat: jsonType,
		Transformers:  []huma.Transformer{s.translateFailure, speakToOldClients},
	}
	c.AllowAdditionalPropertiesByDefault = true // clients newer than this server may send fields that it doesn't know
	return c
}

// withoutTrailingSlash makes /app/ and /app one path. Redirecting would lose the body of a POST with some clients.
func withoutTrailingSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := strings.TrimRight(r.URL.Path, "/"); path != r.URL.Path && path != "" {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = path, ""
		}
		next.ServeHTTP(w, r)
	})
}

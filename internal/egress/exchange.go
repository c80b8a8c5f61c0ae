package egress

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// phase is how far an exchange has got. Phases are passed in this order; some are left out.
type phase int32

const (
	preparing phase = iota
	resolving
	connecting
	handshaking
	sending
	waiting
	readingHeader // the first byte has come
	readingBody
)

// String completes a sentence such as "timeout after 15 s …".
func (p phase) String() string {
	switch p {
	case resolving:
		return "resolving the host name"
	case connecting:
		return "connecting"
	case handshaking:
		return "in the TLS handshake"
	case sending:
		return "sending the request"
	case waiting, readingHeader:
		return "waiting for response headers"
	case readingBody:
		return "reading the body"
	default:
		return "before connecting"
	}
}

// exchange follows one Post. The fields that are not atomic belong to the goroutine of Post; the others are also
// written by connections, and by a dial that may outlive the Post it was begun for.
type exchange struct {
	start   time.Time
	remote  net.Addr
	proxied bool // the receiver is reached through a proxy
	err     error

	phase             atomic.Int32
	dns, connect, tls span
	firstByte         atomic.Int64 // nanoseconds since start; 0 = none yet
}

// span measures from its first begin to its last end, in nanoseconds since the start of the exchange.
type span struct{ begun, ended atomic.Int64 }

func (s *span) begin(start time.Time) { s.begun.CompareAndSwap(0, int64(time.Since(start))) }
func (s *span) end(start time.Time)   { s.ended.Store(int64(time.Since(start))) }

func (s *span) length() time.Duration {
	return time.Duration(max(s.ended.Load()-s.begun.Load(), 0))
}

func (x *exchange) current() phase { return phase(x.phase.Load()) }

// reach moves on to a later phase. It never goes back: a dial that is still under way when another connection becomes
// free shall not disturb the picture.
func (x *exchange) reach(p phase) {
	for {
		old := x.phase.Load()
		if old >= int32(p) || x.phase.CompareAndSwap(old, int32(p)) {
			return
		}
	}
}

func (x *exchange) timings() Timings {
	return Timings{
		DNS:       x.dns.length(),
		Connect:   x.connect.length(),
		TLS:       x.tls.length(),
		FirstByte: time.Duration(x.firstByte.Load()),
	}
}

type exchangeKey struct{}

// trace returns a context with which net/http reports to x. Only what every request passes is hooked here; traceDial
// adds the hooks for dialling, which are not worth their memory on a reused connection.
func (x *exchange) trace(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { // called again if a dead connection makes the request start over
			x.remote = nil
			x.phase.Store(int32(preparing))
		},
		TLSHandshakeStart: func() {
			x.reach(handshaking)
			x.tls.begin(x.start)
		},
		TLSHandshakeDone: func(tls.ConnectionState, error) { x.tls.end(x.start) },
		GotConn: func(info httptrace.GotConnInfo) {
			x.remote = info.Conn.RemoteAddr()
			x.reach(sending)
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				x.reach(waiting)
			}
		},
		GotFirstResponseByte: func() {
			x.firstByte.Store(int64(time.Since(x.start)))
			x.reach(readingHeader)
		},
	})
}

// traceDial returns a context with which the dialer reports to the exchange that the dial was begun for.
func traceDial(ctx context.Context) context.Context {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) {
			x.reach(resolving)
			x.dns.begin(x.start)
		},
		DNSDone: func(httptrace.DNSDoneInfo) { x.dns.end(x.start) },
		ConnectStart: func(string, string) {
			x.reach(connecting)
			x.connect.begin(x.start)
		},
		ConnectDone: func(string, string, error) { x.connect.end(x.start) },
	})
}

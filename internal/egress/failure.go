package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// failure is what is known of an exchange that broke off.
type failure struct {
	cancelled bool // by the caller
	expired   bool // the deadline has passed
	proxied   bool // the receiver is reached through a proxy
	err       error
	phase     phase
	after     time.Duration
}

// describe gives the class and message. Messages are put together from our own words, addresses and the names of
// headers; the text of an error is used only where it can hold nothing else.
func (f *failure) describe() (ErrorClass, string) {
	if e, ok := errors.AsType[*urlError](f.err); ok {
		return InvalidURL, e.reason
	}
	if e, ok := errors.AsType[*BlockedError](f.err); ok {
		return Blocked, e.Error()
	}
	if f.cancelled {
		return Cancelled, fmt.Sprintf("cancelled after %s %s", shortDuration(f.after), f.phase)
	}
	if message, ok := f.describeProxy(); ok {
		return Proxy, message
	}
	if class, message, ok := f.describeDNS(); ok {
		return class, message
	}
	if f.timedOut() {
		return Timeout, fmt.Sprintf("timeout after %s %s", shortDuration(f.after), f.phase)
	}
	if message, ok := f.describeTLS(); ok {
		return TLS, message
	}
	return f.describeConnection()
}

func (f *failure) timedOut() bool {
	e, ok := errors.AsType[net.Error](f.err)
	return f.expired || ok && e.Timeout()
}

func (f *failure) describeDNS() (ErrorClass, string, bool) {
	e, ok := errors.AsType[*net.DNSError](f.err)
	switch {
	case !ok || f.expired:
		return None, "", false
	case e.IsNotFound:
		return DNS, "DNS: no such host", true
	case e.IsTimeout:
		return DNS, "DNS: the name servers do not answer", true
	default:
		return DNS, "DNS: the name servers report a failure", true
	}
}

func (f *failure) describeTLS() (string, bool) {
	if e, ok := errors.AsType[x509.CertificateInvalidError](f.err); ok && e.Reason == x509.Expired {
		if e.Cert != nil && time.Now().Before(e.Cert.NotBefore) {
			return "TLS: certificate is not valid yet", true
		}
		return "TLS: certificate has expired", true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](f.err); ok {
		return "TLS: certificate signed by unknown authority", true
	}
	if _, ok := errors.AsType[x509.HostnameError](f.err); ok {
		return "TLS: certificate is not valid for host", true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](f.err); ok {
		return "TLS: certificate is not valid", true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](f.err); ok {
		return "TLS: the receiver does not speak TLS", true
	}
	if e, ok := errors.AsType[*net.OpError](f.err); ok && e.Op == "remote error" { // an alert, which has no exported type
		return "TLS: the receiver says: " + strings.TrimPrefix(e.Err.Error(), "tls: "), true
	}
	if f.phase == handshaking && !f.broken() {
		return "TLS: handshake failed", true
	}
	return "", false
}

// broken reports whether the connection ended rather than carried something wrong.
func (f *failure) broken() bool {
	return errors.Is(f.err, io.EOF) || errors.Is(f.err, io.ErrUnexpectedEOF) ||
		errors.Is(f.err, syscall.ECONNRESET) || errors.Is(f.err, syscall.EPIPE)
}

// violatesHTTP2 reports whether we ended a connection because of what the receiver sent. The type of such an error is not
// exported.
func (f *failure) violatesHTTP2() bool {
	return strings.HasPrefix(f.err.Error(), "connection error: ")
}

const malformed = "the response is not valid HTTP, breaks off within a header, or has headers beyond 64 KiB"

func (f *failure) describeConnection() (ErrorClass, string) {
	op, isOp := errors.AsType[*net.OpError](f.err)
	switch {
	case errors.Is(f.err, syscall.ECONNREFUSED):
		message := "connection refused"
		if isOp && op.Addr != nil {
			message += " by " + op.Addr.String()
		}
		return Refused, message
	case isOp && op.Op == "dial":
		if errno, ok := errors.AsType[syscall.Errno](f.err); ok {
			return Other, "cannot connect: " + errno.Error()
		}
		return Other, "cannot connect"
	case f.phase == preparing:
		return Other, "not sent: " + strings.TrimPrefix(f.err.Error(), "net/http: ")
	case errors.Is(f.err, syscall.ECONNRESET):
		return Reset, "connection reset " + f.phase.String()
	case f.violatesHTTP2():
		return Protocol, malformed
	case f.broken() || f.phase < readingHeader:
		// Before the first byte, net/http has several unexported errors that all say that the receiver hung up.
		return Reset, "connection closed by the receiver " + f.phase.String()
	case f.phase == readingHeader:
		return Protocol, malformed
	default:
		return Protocol, "the body of the response is malformed or was broken off"
	}
}

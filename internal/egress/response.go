package egress

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
)

// readBody returns a copy of the first keep bytes. It reads on for maxBodyDrain bytes, because a connection can be used
// again only after its response was read to the end, and then leaves the rest. A nil error with truncated true means
// that there is, or may be, more. The scratch buffer must not be shorter than keep, nor empty.
func readBody(body io.Reader, scratch []byte, keep int) (kept []byte, truncated bool, err error) {
	n := 0
	for n < keep && err == nil {
		var read int
		read, err = body.Read(scratch[n:keep])
		n += read
	}
	kept = bytes.Clone(scratch[:n])

	drained := 0
	for err == nil && drained < maxBodyDrain {
		var read int
		read, err = body.Read(scratch[:min(len(scratch), maxBodyDrain-drained)])
		drained += read
	}
	if err == io.EOF {
		return kept, drained > 0, nil
	}
	return kept, drained > 0 || err != nil, err
}

// capHeader leaves out what exceeds maxHeaderKept, in the order of names so that the same response is always cut alike.
func capHeader(h http.Header) http.Header {
	size := 0
	for name, values := range h {
		size += headerSize(name, values)
	}
	if size <= maxHeaderKept {
		return h
	}
	capped := make(http.Header, len(h))
	room := maxHeaderKept
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if room -= headerSize(name, h[name]); room < 0 {
			break
		}
		capped[name] = h[name]
	}
	return capped
}

// headerSize counts a header as it stands on the wire, one line for each value.
func headerSize(name string, values []string) int {
	size := 0
	for _, v := range values {
		size += len(name) + len(": ") + len(v) + len("\r\n")
	}
	return size
}

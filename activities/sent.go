package activities

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// sentHeader is what an attempt keeps of its request's header: sensitive headers by name only, and of a very large one the
// shortest, so that the same request is always cut alike. Signatures are kept: a receiver takes them for
// a few minutes only, and they are what people look for when it says that they are wrong.
func sentHeader(h http.Header) map[string]string {
	if h == nil {
		return nil
	}
	kept := make(map[string]string, len(h))
	size := 0
	for name, values := range h {
		if len(values) == 0 {
			continue // sends nothing, but is a sign to net/http
		}
		value := strings.Join(values, ", ")
		if posthorn.IsSensitiveHeader(name) {
			value = ""
		}
		name = specified(name)
		kept[name] = value
		size += len(name) + len(value)
	}
	if size <= posthorn.MaxRecordedSent {
		return kept
	}
	room := posthorn.MaxRecordedSent
	byLength := func(a, b string) int {
		return cmp.Or(cmp.Compare(len(kept[a]), len(kept[b])), strings.Compare(a, b))
	}
	for _, name := range slices.SortedFunc(maps.Keys(kept), byLength) {
		if room -= len(name) + len(kept[name]); room < 0 {
			delete(kept, name)
		}
	}
	return kept
}

// specified spells the headers of Standard Webhooks as its specification does, and our own likewise; on the wire no spelling matters.
func specified(name string) string {
	for _, own := range [...]string{signing.HeaderID, signing.HeaderTimestamp, signing.HeaderSignature, posthorn.HeaderPayloadVersion} {
		if strings.EqualFold(name, own) {
			return own
		}
	}
	return name
}

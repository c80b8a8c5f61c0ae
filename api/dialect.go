package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// renamedIn is the first minor version of the Svix clients that knows the present names of fields.
const renamedIn = 70

// olderShape is implemented by answers that clients from before the renaming can't read: they know eventTypes as
// filterTypes and throttleRate as rateLimit, miss the version of an endpoint if it isn't there, and the one for Go
// refuses an answer with a field that it doesn't know.
type olderShape interface {
	older() any
}

// speakToOldClients is the transformer that gives old Svix clients what they expect. Requests need no such care: both
// names of a field are read.
func speakToOldClients(ctx huma.Context, _ string, body any) (any, error) {
	if shape, ok := body.(olderShape); ok && isOldClient(ctx.Header("User-Agent")) {
		return shape.older(), nil
	}
	return body, nil
}

// isOldClient recognises svix-libs/1.44.0/go and the like.
func isOldClient(userAgent string) bool {
	version, ok := strings.CutPrefix(userAgent, "svix-libs/")
	if !ok {
		return false
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	return err == nil && (major == "0" || major == "1" && n < renamedIn)
}

// older gives each item its older shape.
func (l listResponse[T]) older() any {
	data := make([]any, len(l.Data))
	for i, item := range l.Data {
		data[i] = item
		if shape, ok := any(item).(olderShape); ok {
			data[i] = shape.older()
		}
	}
	return listResponse[any]{Data: data, Iterator: l.Iterator, PrevIterator: l.PrevIterator, Done: l.Done}
}

func (a applicationOut) older() any { return reshape(a) }

func (e EndpointOut) older() any {
	return versioned(reshape(e, "disabledReason", "payloadVersion", "payloadVersions"))
}

func (e messageEndpointOut) older() any {
	return versioned(reshape(e, "disabledReason", "statusText", "metadata", "state", "attempts", "reason", "payloadVersion", "payloadVersions"))
}

func (m endpointMessageOut) older() any {
	return reshape(m, "statusText", "state", "attempts", "reason", "payloadVersion")
}

func (a messageAttemptOut) older() any {
	return reshape(a, "statusText", "attemptNumber", "errorClass", "message", "nextAttempt", "responseHeaders", "responseTruncated", "responseEncoding")
}

func (t startedTaskOut) older() any { return reshape(t, "updatedAt") }

func (t startedStatsOut) older() any { return reshape(t, "updatedAt") }

func (t backgroundTaskOut) older() any { return reshape(t, "updatedAt") }

// reshape returns v as a JSON object with the older names and without the fields that came later.
func reshape(v any, later ...string) map[string]json.RawMessage {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encoding %T: %w", v, err))
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(encoded, &fields); err != nil {
		panic(fmt.Errorf("decoding %T: %w", v, err))
	}
	for present, older := range map[string]string{"eventTypes": "filterTypes", "throttleRate": "rateLimit"} {
		if value, ok := fields[present]; ok {
			fields[older] = value
			delete(fields, present)
		}
	}
	for _, name := range later {
		delete(fields, name)
	}
	return fields
}

// versioned adds the version that endpoints used to have.
func versioned(endpoint map[string]json.RawMessage) map[string]json.RawMessage {
	endpoint["version"] = json.RawMessage("1")
	return endpoint
}

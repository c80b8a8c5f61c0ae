package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// lenientSince is the first minor version 1 of the Svix clients from which on all of them ignore fields that they don't
// know.
const lenientSince = 73

// olderShape is implemented by answers that clients for version 1 of the API's names can't read: they know eventTypes as
// filterTypes and throttleRate as rateLimit, and miss the version of an endpoint if it isn't there. Older is for the
// earliest of them, some of which refuse an answer with a field that they don't know.
type olderShape interface {
	older() any
}

// speakToOldClients is the transformer that gives old Svix clients what they expect. Requests need no such care: both
// names of a field are read.
func speakToOldClients(ctx huma.Context, _ string, body any) (any, error) {
	shape, ok := body.(olderShape)
	if !ok {
		return body, nil
	}
	switch agent := ctx.Header("User-Agent"); {
	case isOldClient(agent):
		return shape.older(), nil
	case wantsBothNames(agent):
		return merge(encoded(body), encoded(shape.older())), nil
	default:
		return body, nil
	}
}

// isOldClient recognises the clients that get only the names of fields that they know.
func isOldClient(userAgent string) bool {
	major, minor, ok := clientVersion(userAgent)
	return ok && (major == 0 || major == 1 && minor < lenientSince)
}

// wantsBothNames recognises the other clients for version 1.
func wantsBothNames(userAgent string) bool {
	major, minor, ok := clientVersion(userAgent)
	return ok && major == 1 && minor >= lenientSince
}

// clientVersion reads the version of an official Svix client from svix-libs/1.44.0/go and the like.
func clientVersion(userAgent string) (major, minor int, ok bool) {
	_, err := fmt.Sscanf(userAgent, "svix-libs/%d.%d.", &major, &minor)
	return major, minor, err == nil
}

// encoded returns v as decoded JSON.
func encoded(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encoding %T: %w", v, err))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		panic(fmt.Errorf("decoding %T: %w", v, err))
	}
	return decoded
}

// merge adds to decoded JSON the fields that only other has: to an object, and to each item of the list in its data.
func merge(into, other any) any {
	switch into := into.(type) {
	case map[string]any:
		other, _ := other.(map[string]any)
		for name, value := range other {
			present, ok := into[name]
			switch {
			case !ok:
				into[name] = value
			case name == "data":
				into[name] = merge(present, value)
			}
		}
	case []any:
		other, _ := other.([]any)
		for i := range min(len(into), len(other)) {
			into[i] = merge(into[i], other[i])
		}
	}
	return into
}

// readsRotation recognises clients that expect the new secret in the answer to a rotation: some of those for version 2
// fail over an empty one, and the others don't look.
func readsRotation(userAgent string) bool {
	major, _, ok := clientVersion(userAgent)
	return ok && major >= 2
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
	return versioned(reshape(e, "disabledReason", "pausedAt", "ordered", "maxInFlight", "payloadVersion", "payloadVersions"))
}

func (e messageEndpointOut) older() any {
	return versioned(reshape(e, "disabledReason", "pausedAt", "ordered", "maxInFlight", "statusText", "metadata", "state", "attempts", "reason", "waits", "payloadVersion", "payloadVersions"))
}

func (m endpointMessageOut) older() any {
	return reshape(m, "deliverAt", "deliverBefore", "cancelledAt", "statusText", "state", "attempts", "reason", "waits", "payloadVersion", "orderingKey")
}

func (a messageAttemptOut) older() any {
	return reshape(a, "statusText", "trigger", "attemptNumber", "errorClass", "message", "nextAttempt", "responseHeaders", "responseTruncated", "responseEncoding")
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

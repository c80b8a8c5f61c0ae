package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// maxFilterTypes is how many event types a list can be narrowed to: each is looked up by itself.
const maxFilterTypes = 500

// window is how far a list of messages or attempts looks back unless it is told otherwise.
const window = 90 * 24 * time.Hour

// The parameters that lists share. huma finds the fields of embedded structs only if their types are exported.
type (
	// PageParams ask for a page of a list.
	PageParams struct {
		Limit    int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"How many items at most."`
		Iterator string `query:"iterator" doc:"The iterator of the page before, or its prevIterator to go back."`
	}
	// OrderParam asks for an order.
	OrderParam struct {
		Order string `query:"order" enum:"ascending,descending" doc:"Oldest or newest first; event types by name."`
	}
	// ContentParam asks whether payloads and responses are wanted.
	ContentParam struct {
		WithContent bool `query:"with_content" default:"true" doc:"Whether to include payloads and responses."`
	}
	// WindowParams narrow a list of messages or attempts.
	WindowParams struct {
		Before     time.Time `query:"before" doc:"Only items made before this moment."`
		After      time.Time `query:"after" doc:"Only items made after this moment. Alone, it makes the first page the one that follows the moment."`
		Channel    string    `query:"channel" doc:"Only messages on this channel."`
		Tag        string    `query:"tag" doc:"Only messages with this tag."`
		EventTypes []string  `query:"event_types" nullable:"false" doc:"Only messages of these event types, 500 at most: separated by commas, repeated, or both."`
	}
)

// Resolve collects the event types in all spellings that Svix's clients use.
func (p *WindowParams) Resolve(ctx huma.Context) []error {
	p.EventTypes = queryList(ctx, "event_types")
	if len(p.EventTypes) > maxFilterTypes {
		return []error{&huma.ErrorDetail{Location: "query.event_types", Message: fmt.Sprintf("must have %d items at most", maxFilterTypes), Value: len(p.EventTypes)}}
	}
	return nil
}

// descending reads the order, given the list's default.
func (p OrderParam) descending(byDefault bool) bool {
	if p.Order == "" {
		return byDefault
	}
	return p.Order == "descending"
}

// page reads the iterator: the key of the last item of the page before, or "-" and the key of the first item of the
// page behind.
func (p PageParams) page(descending bool, validKey func(string) bool) (store.Page, error) {
	page := store.Page{Limit: p.Limit, Descending: descending}
	if p.Iterator == "" {
		return page, nil
	}
	page.After, page.Backward = strings.CutPrefix(p.Iterator, "-")
	if !validKey(page.After) {
		return store.Page{}, invalidField("query.iterator", "Invalid iterator")
	}
	return page, nil
}

// timed is page for a list that is bounded in time, newest first, whose keys are ids of a kind. Reading is bounded to
// 90 days before where it begins. Without an iterator, After alone asks for what came next after that moment, so that
// a poller misses nothing: the page that ends there, in the list's order.
func (p PageParams) timed(w WindowParams, kind posthorn.IDKind, now time.Time) (store.Page, store.Window, error) {
	page, err := p.page(true, kind.Valid)
	if err != nil {
		return store.Page{}, store.Window{}, err
	}
	bounds := store.Window{After: w.After, Before: w.Before}
	begin := now
	if !w.Before.IsZero() {
		begin = w.Before
	}
	switch {
	case page.Backward:
		return page, bounds, nil
	case page.After != "":
		begin = kind.Time(page.After)
	case w.Before.IsZero() && !w.After.IsZero():
		page.After, page.Backward = kind.Floor(w.After), true
		return page, bounds, nil
	}
	if earliest := begin.Add(-window); bounds.After.Before(earliest) {
		bounds.After = earliest
	}
	return page, bounds, nil
}

// listResponse is a page of a list.
type listResponse[T any] struct {
	Data         []T     `json:"data" nullable:"false"`
	Iterator     *string `json:"iterator" doc:"Asks for the page behind this one; null if this one is empty."`
	PrevIterator *string `json:"prevIterator" doc:"Asks for the page before this one; null if this one is empty."`
	Done         bool    `json:"done" doc:"There is nothing more in the direction of reading."`
}

func listed[T, O any](l store.List[T], key func(T) string, show func(T) O) *answer[listResponse[O]] {
	body := listResponse[O]{Data: make([]O, 0, len(l.Items)), Done: !l.More}
	for _, item := range l.Items {
		body.Data = append(body.Data, show(item))
	}
	if n := len(l.Items); n > 0 {
		last, first := key(l.Items[n-1]), "-"+key(l.Items[0])
		body.Iterator, body.PrevIterator = &last, &first
	}
	return &answer[listResponse[O]]{Body: body}
}

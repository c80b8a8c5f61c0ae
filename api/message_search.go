package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/posthorn/posthorn"
)

// messageSearchIn is what a search asks for: the parameters of the list of messages, in a body.
type messageSearchIn struct {
	Limit       int                 `json:"limit,omitempty" minimum:"1" maximum:"250" default:"50" doc:"How many items at most."`
	Iterator    Optional[string]    `json:"iterator,omitzero" doc:"The iterator of the page before, or its prevIterator to go back."`
	Channel     Optional[string]    `json:"channel,omitzero" doc:"Only messages on this channel."`
	Tag         Optional[string]    `json:"tag,omitzero" doc:"Only messages with this tag."`
	EventTypes  Optional[[]string]  `json:"event_types,omitzero" maxItems:"500" doc:"Only messages of these event types."`
	Before      Optional[time.Time] `json:"before,omitzero" doc:"Only messages made before this moment."`
	After       Optional[time.Time] `json:"after,omitzero" doc:"Only messages made after this moment. Alone, it makes the first page the one that follows the moment."`
	WithContent bool                `json:"with_content,omitempty" default:"false" doc:"Whether to include payloads."`
}

type searchMessagesIn struct {
	AppPath
	Body messageSearchIn
}

// searchMessages lists messages as listMessages does, for filters that are too long for a URL.
func (s *Server) searchMessages(ctx context.Context, in *searchMessagesIn) (*answer[listResponse[messageOut]], error) {
	body := in.Body
	found, err := s.listMessages(ctx, &listMessagesIn{
		AppPath:    in.AppPath,
		PageParams: PageParams{Limit: body.Limit, Iterator: body.Iterator.Value},
		WindowParams: WindowParams{
			Before: body.Before.Value, After: body.After.Value, Channel: body.Channel.Value, Tag: body.Tag.Value,
			EventTypes: body.EventTypes.Value,
		},
		ContentParam: ContentParam{WithContent: body.WithContent},
	})
	if wrong, ok := errors.AsType[*posthorn.Error](err); ok && wrong.Field != "" {
		return nil, invalidField(strings.Replace(wrong.Field, "query.", "body.", 1), "%s", wrong.Message)
	}
	return found, err
}

package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
)

// EndpointVersions are the versions of payloads that an endpoint wants, which is ours. Clients of Svix don't know them:
// whatever leaves them out, a PUT too, leaves them as they are. They are exported for huma, which finds embedded fields
// only then.
type EndpointVersions struct {
	PayloadVersion  Optional[string]            `json:"payloadVersion,omitzero" maxLength:"64" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The version of payloads that it gets where a message has several; null leaves the choice to the sender. A PUT without it leaves it as it is."`
	PayloadVersions Optional[map[string]string] `json:"payloadVersions,omitzero" doc:"The same for particular event types, by name; goes before payloadVersion. Null removes it. A PUT without it leaves it as it is."`
}

func (in *EndpointVersions) apply(e *posthorn.Endpoint) {
	in.PayloadVersion.orZero(&e.PayloadVersion)
	in.PayloadVersions.orZero(&e.PayloadVersions)
}

// checkPins refuses what can't be a version, and event types that the catalogue does not have.
func (s *Server) checkPins(ctx context.Context, in *EndpointVersions) error {
	if v := in.PayloadVersion.Value; v != "" {
		if err := checkName("body.payloadVersion", v, maxVersion); err != nil {
			return err
		}
	}
	pins := in.PayloadVersions.Value
	if len(pins) > maxVersions {
		return invalidField("body.payloadVersions", "must have %d event types at most", maxVersions)
	}
	names := slices.Sorted(maps.Keys(pins))
	for _, name := range names {
		if err := checkName("", pins[name], maxVersion); err != nil {
			return invalid(validationErrorItem{
				Loc: []string{"body", "payloadVersions", name}, Msg: "is not a version: it " + err.Error(), Type: typeValue,
			})
		}
	}
	if len(names) == 0 {
		return nil
	}
	missing, err := s.missingEventTypes(ctx, names)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return invalidField("body.payloadVersions", "The following event types don't exist: %s", strings.Join(missing, ", "))
	}
	return nil
}

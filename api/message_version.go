package api

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
)

// maxVariants is how many versions of its payload a message can have besides the payload itself.
const maxVariants = 10

// MessageVersions are a message's payload in several versions, which is ours. They are exported for huma, which finds
// embedded fields only then.
type MessageVersions struct {
	PayloadVersion string            `json:"payloadVersion,omitempty" maxLength:"64" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The version of the payload. Default: the newest that the event type has a schema of."`
	Payloads       map[string]object `json:"payloads,omitempty" doc:"The payload in other versions, 10 at most, by version. An endpoint that pins one of them gets it instead of the payload."`
}

func (in *MessageVersions) check() error {
	if in.PayloadVersion != "" {
		if err := checkName("body.payloadVersion", in.PayloadVersion, maxVersion); err != nil {
			return err
		}
	}
	if len(in.Payloads) > maxVariants {
		return invalidField("body.payloads", "must have %d versions at most", maxVariants)
	}
	for version, variant := range in.Payloads {
		loc := []string{"body", "payloads", version}
		if err := checkName("", version, maxVersion); err != nil {
			return invalid(validationErrorItem{Loc: loc, Msg: "is not a version: it " + err.Error(), Type: typeValue})
		}
		if len(variant) == 0 || variant[0] != '{' {
			return invalid(validationErrorItem{Loc: loc, Msg: "must be a JSON object", Type: typeValue})
		}
	}
	return nil
}

func (in *MessageVersions) apply(m *posthorn.Message) {
	m.PayloadVersion = in.PayloadVersion
	for version, variant := range in.Payloads {
		if m.Variants == nil {
			m.Variants = make(map[string][]byte, len(in.Payloads))
		}
		m.Variants[version] = variant
	}
}

// consultCatalogue fills in what the catalogue knows about a message that is about to be stored: the version of its
// payload if the sender didn't say, and what is wrong with the payloads where the event type wants warnings. Where it
// wants payloads to be right, it refuses those that aren't.
func (s *Server) consultCatalogue(ctx context.Context, in *messageIn, m *posthorn.Message) error {
	known, err := s.catalogue.Type(ctx, callerOf(ctx).org, m.EventType)
	if err != nil {
		return err
	}
	if known != nil && m.PayloadVersion == "" {
		m.PayloadVersion = known.Newest()
	}
	if _, twice := m.Variants[m.PayloadVersion]; twice {
		loc := []string{"body", "payloads", m.PayloadVersion}
		return invalid(validationErrorItem{Loc: loc, Msg: "is the version that payload has already", Type: typeValue})
	}
	if known == nil || known.Validation == posthorn.Unchecked || len(known.Schemas) == 0 {
		return nil
	}
	payload := []string{"payload"}
	if in.TransformationsParams != nil && in.TransformationsParams.RawPayload != nil {
		payload = []string{"transformationsParams", "rawPayload"}
	}
	found := violations(known, m.PayloadVersion, []string{"payloadVersion"}, payload, m.Payload)
	for _, version := range slices.SortedFunc(maps.Keys(m.Variants), posthorn.CompareVersions) {
		at := []string{"payloads", version}
		found = append(found, violations(known, version, at, at, m.Variants[version])...)
	}
	if len(found) == 0 {
		return nil
	}
	if known.Validation == posthorn.Reject {
		items := make([]validationErrorItem, len(found))
		for i, v := range found {
			items[i] = validationErrorItem{Loc: append([]string{"body"}, v.Path...), Msg: v.Message, Type: typeValue}
		}
		return invalid(items...)
	}
	for _, v := range found {
		m.Warnings = append(m.Warnings, v.String())
	}
	// What is wrong quotes the payload's keys, which are not for the log.
	s.log.LogAttrs(ctx, slog.LevelWarn, "a payload violates its schema", requestID(ctx), slog.String("message", m.ID),
		slog.String("application", m.AppID), slog.String("event_type", m.EventType), slog.String("version", m.PayloadVersion),
		slog.Int("violations", len(found)))
	return nil
}

// violations checks one version of a payload. Their paths begin in the request's body: at named if the event type
// doesn't know the version, otherwise at where the payload stands.
func violations(known *catalogue.Type, version string, named, at []string, payload []byte) []catalogue.Violation {
	if !known.Has(version) {
		return []catalogue.Violation{{Path: named, Message: fmt.Sprintf(
			"%q is not a version of %s that has a schema; there are: %s", version, known.Name, strings.Join(known.Versions(), ", "))}}
	}
	found := known.Check(version, payload)
	for i := range found {
		found[i].Path = append(slices.Clone(at), found[i].Path...)
	}
	return found
}

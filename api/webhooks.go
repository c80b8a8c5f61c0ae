package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
)

// webhooksDocument adds the caller's event types to the OpenAPI document.
type webhooksDocument struct {
	fields     map[string]json.RawMessage
	components map[string]json.RawMessage
	schemas    map[string]json.RawMessage
}

func newWebhooksDocument(document []byte) (*webhooksDocument, error) {
	d := &webhooksDocument{}
	err := json.Unmarshal(document, &d.fields)
	if err == nil {
		err = json.Unmarshal(d.fields["components"], &d.components)
	}
	if err == nil {
		err = json.Unmarshal(d.components["schemas"], &d.schemas)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	return d, nil
}

// with returns the document with webhooks. The parts of it that don't change are not encoded anew.
func (d *webhooksDocument) with(w catalogue.Webhooks) ([]byte, error) {
	schemas := maps.Clone(d.schemas)
	maps.Copy(schemas, w.Schemas)
	components := make(map[string]any, len(d.components)+1)
	for name, part := range d.components {
		components[name] = part
	}
	components["schemas"], components["parameters"] = schemas, w.Parameters
	fields := make(map[string]any, len(d.fields)+1)
	for name, part := range d.fields {
		fields[name] = part
	}
	fields["components"], fields["webhooks"] = components, w.Items
	return json.Marshal(fields)
}

// serveDocument serves the OpenAPI document: to whoever brings a token with the event types that the token may see as
// webhooks, to all others without.
func (s *Server) serveDocument(document []byte) (gin.HandlerFunc, error) {
	whole, err := newWebhooksDocument(document)
	if err != nil {
		return nil, err
	}
	return func(c *gin.Context) {
		c.Header("Vary", "Authorization")
		bearer := c.GetHeader("Authorization")
		if bearer == "" {
			c.Data(http.StatusOK, jsonType, document)
			return
		}
		ctx := c.Request.Context()
		var body []byte
		who, err := s.identifyCaller(ctx, bearer)
		if err == nil {
			err = s.countRequest(c.Writer.Header(), who)
		}
		var types []posthorn.EventType
		if err == nil && who.may(ViewBase) {
			types, err = s.allEventTypes(ctx, who)
		}
		if err == nil {
			body, err = whole.with(catalogue.NewWebhooks(types, who.app == ""))
		}
		if err != nil {
			writeFailure(c.Writer, s.failure(ctx, err))
			return
		}
		c.Header("Cache-Control", "no-store")
		c.Data(http.StatusOK, jsonType, body)
	}, nil
}

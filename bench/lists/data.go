package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

const (
	// smallest is how few messages still hold everything that the cases ask for.
	smallest = 400
	// period is how far back the messages go.
	period = 30 * 24 * time.Hour
	// crowd is how many endpoints get the widest message, and how many applications there are besides.
	crowd      = 10_000
	eventTypes = 300
	writers    = 256
)

// data is what there is in the database. One application has all messages but one, and three endpoints that get them.
type data struct {
	app, wideApp     string
	endpoints        [3]string
	wideMessage      string
	variedApp        string
	variedEndpoint   string
	first, middle    posthorn.Message // the middle one has what no other has
	messages         int
	attempts         int
	oldest           time.Time
	eventTypesListed int
}

// Each property of a message is a function of its place i in the order of time.
func (d *data) message(i int) posthorn.Message {
	at := d.oldest.Add(time.Duration(i) * (period / time.Duration(d.messages)))
	m := posthorn.Message{
		ID: posthorn.MessageID.Floor(at), AppID: d.app, EventType: "order.created", CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
		Payload: fmt.Appendf(nil, `{"type":"order","number":%d,"text":"%0400d"}`, i, i),
	}
	switch n := i % 20; {
	case i == d.messages/2:
		m.EventType, m.Channels, m.Tags = "audit.rare", []string{"rare"}, []string{"rare"}
		return m
	case n >= 19:
		m.EventType = "user.signup" // 5 %
	case n >= 17:
		m.EventType = "invoice.paid" // 10 %
	case n >= 12:
		m.EventType = "order.updated" // 25 %
	}
	switch i % 5 {
	case 0:
		m.Channels = []string{"eu"} // 20 %, never with invoice.paid
	case 1:
		m.Channels = []string{"us"}
	}
	switch i % 10 {
	case 0, 2:
		m.Tags = []string{"night"} // 20 %, half of them eu
	case 3:
		m.Tags = []string{"batch"} // 10 %, never with eu
	}
	return m
}

// plan fixes what doesn't depend on the database: identifiers follow from the number of messages and the start.
func plan(messages int, oldest time.Time) data {
	at := func(kind posthorn.IDKind, n int) string {
		return kind.Floor(oldest.Add(time.Duration(n-100) * time.Second))
	}
	d := data{messages: messages, oldest: oldest, eventTypesListed: eventTypes, app: at(posthorn.ApplicationID, 0), wideApp: at(posthorn.ApplicationID, 1)}
	for i := range d.endpoints {
		d.endpoints[i] = at(posthorn.EndpointID, i)
	}
	d.wideMessage = posthorn.MessageID.Floor(oldest.Add(-time.Hour))
	d.first, d.middle = d.message(0), d.message(messages/2)
	return d
}

// addVaried adds an application whose one endpoint gets all event types of the catalogue, unless it is there.
func (d *data) addVaried(ctx context.Context, s *sqlite.Store) error {
	now := d.oldest.Add(-2 * time.Hour)
	app := posthorn.Application{ID: posthorn.ApplicationID.Floor(now), OrgID: posthorn.DefaultOrg, UID: "app-2", Name: "Varied", CreatedAt: now}
	d.variedApp, d.variedEndpoint = app.ID, posthorn.EndpointID.Floor(now)
	err := s.CreateApplication(ctx, app)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.CreateEndpoint(ctx, posthorn.Endpoint{ID: d.variedEndpoint, AppID: app.ID, URL: "https://example.com", CreatedAt: now}); err != nil {
		return err
	}
	for i := range 10 * eventTypes {
		at := now.Add(time.Duration(i) * time.Second)
		m := posthorn.Message{
			ID: posthorn.MessageID.Floor(at.Add(time.Millisecond)), AppID: app.ID, EventType: fmt.Sprintf("type.%d", i%eventTypes),
			Payload: []byte("{}"), CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
		}
		if err := s.CreateMessage(ctx, m); err != nil {
			return err
		}
		if _, err := s.Record(ctx, store.Record{MessageID: m.ID, AppID: app.ID, Dispatched: true, Attempts: []posthorn.Attempt{{
			ID: posthorn.AttemptID.Floor(at.Add(time.Millisecond)), MessageID: m.ID, AppID: app.ID, EndpointID: d.variedEndpoint,
			EventType: m.EventType, Trigger: posthorn.Automatic, StartedAt: at, Success: i/eventTypes%3 > 0, Status: 200,
		}}}); err != nil {
			return err
		}
	}
	return nil
}

// labelSteps put the channels and tags of messages, and the pairs of them, on the lists of their endpoints.
func labelSteps() []step {
	const channels, tags = " CROSS JOIN json_each(m.channels) c", " CROSS JOIN json_each(m.tags) t"
	var steps []step
	for _, l := range []struct{ label, from string }{
		{"'channel', c.value", channels}, {"'tag', t.value", tags}, {"'both', c.value || ' ' || t.value", channels + tags},
	} {
		steps = append(steps,
			step{"INSERT INTO label (owner_id, kind, name, event_type, standing, item_id)" +
				" SELECT x.endpoint_id, " + l.label + ", m.event_type, x.state, m.id FROM message m" + l.from +
				" CROSS JOIN delivery x ON x.message_id = m.id", nil},
			step{"INSERT INTO label (owner_id, kind, name, event_type, standing, item_id, item_seq)" +
				" SELECT x.endpoint_id, " + l.label + ", m.event_type, x.outcome, x.id, x.seq FROM message m" + l.from +
				" CROSS JOIN attempt x ON x.message_id = m.id", nil},
		)
	}
	return steps
}

// step is a statement that makes a part of the data.
type step struct {
	text string
	args []any
}

// findData learns from a database what makeData has made of it.
func findData(ctx context.Context, path string) (d data, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var app string
	var messages, attempts int
	if err := db.QueryRowContext(ctx, "SELECT count(*), min(app_id) FROM message WHERE app_id = (SELECT id FROM application WHERE uid = 'app-0')").Scan(&messages, &app); err != nil {
		return d, err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM attempt").Scan(&attempts); err != nil {
		return d, err
	}
	d = plan(messages, posthorn.ApplicationID.Time(app).Add(100*time.Second))
	d.attempts = attempts
	return d, nil
}

// makeData fills a database, or finds out what is in one.
func makeData(ctx context.Context, path string, messages int) (data, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return findData(ctx, path)
	}
	d := plan(messages, time.Now().Add(-period).Truncate(time.Hour))
	if err := d.createMessages(ctx, path); err != nil {
		return d, err
	}
	return d, d.fill(ctx, path)
}

// createMessages goes through the store, many at once as the API does.
func (d *data) createMessages(ctx context.Context, path string) (err error) {
	s, err := sqlite.Open(ctx, sqlite.Options{Path: path, Durability: sqlite.Normal})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	now := d.oldest.Add(-time.Hour)
	for i, id := range []string{d.app, d.wideApp} {
		if err := s.CreateApplication(ctx, posthorn.Application{ID: id, OrgID: posthorn.DefaultOrg, UID: fmt.Sprintf("app-%d", i), Name: "Big", CreatedAt: now, UpdatedAt: now}); err != nil {
			return err
		}
	}
	for i, id := range d.endpoints {
		if err := s.CreateEndpoint(ctx, posthorn.Endpoint{ID: id, AppID: d.app, URL: fmt.Sprintf("https://example.com/%d", i), CreatedAt: now, UpdatedAt: now}); err != nil {
			return err
		}
	}
	wide := posthorn.Message{ID: d.wideMessage, AppID: d.wideApp, EventType: "order.created", Payload: []byte(`{}`), CreatedAt: now, ExpiresAt: now.Add(posthorn.DefaultRetention)}
	if err := s.CreateMessage(ctx, wide); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range d.messages {
		group.Go(func() error { return s.CreateMessage(ctx, d.message(i)) })
	}
	return group.Wait()
}

// fill adds in bulk what hangs on the messages, and forgoes all safety for it. Attempts have the IDs of their messages
// with the number of the endpoint in them. At each endpoint 1 attempt in 20 has failed.
func (d *data) fill(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)&_pragma=cache_size(-500000)&_pragma=temp_store(memory)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	steps := []step{
		{"DELETE FROM undispatched", nil},
		{"CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i FROM n", []any{crowd}},
		{"INSERT INTO application (id, org_id, name, throttle_rate, created_at, updated_at)" +
			" SELECT 'app_' || printf('%025d0', i), ?, 'Small', 0, 0, 0 FROM n", []any{posthorn.DefaultOrg}},
		{"INSERT INTO event_type (org_id, name, description, archived, deprecated, created_at, updated_at)" +
			" SELECT ?, 'type.' || i, '', 0, 0, 0, 0 FROM n LIMIT ?", []any{posthorn.DefaultOrg, eventTypes}},
		{"INSERT INTO endpoint (id, app_id, url, description, disabled, throttle_rate, created_at, updated_at)" +
			" SELECT 'ep_' || printf('%025d0', i), ?, 'https://example.com/' || i, '', 0, 0, 0, 0 FROM n", []any{d.wideApp}},
		{"INSERT INTO delivery (message_id, endpoint_id, app_id, state, reason, attempts, scheduled, newest, event_type, updated_at)" +
			" SELECT ?, 'ep_' || printf('%025d0', i), ?, 'delivered', '', 1, 1, '', 'order.created', 0 FROM n", []any{d.wideMessage, d.wideApp}},
		{"INSERT INTO attempt (id, message_id, endpoint_id, app_id, event_type, number, trigger, url, started_at, duration, success, status, truncated, error_class, message, header, body)" +
			" SELECT substr(?, 1, 21) || printf('%010d0', i), ?, 'ep_' || printf('%025d0', i), ?, 'order.created', 1, 'auto', 'https://example.com/', 0, 9000, 1, 200, 0, '', '', NULL, x'6f6b' FROM n",
			[]any{posthorn.AttemptID.Floor(d.oldest.Add(-time.Hour)), d.wideMessage, d.wideApp}},
		{"CREATE TEMP TABLE place AS SELECT m.seq, m.id, m.event_type, (row_number() OVER (ORDER BY m.id)) - 1 AS i FROM message m WHERE m.app_id = ?", []any{d.app}},
	}
	for e, ep := range d.endpoints {
		// The rarest outcome and the rarest state are those of the message in the middle.
		const failed = "(i * 7 + ?2) % 20 = 0"
		steps = append(steps,
			step{"INSERT INTO delivery (message_id, endpoint_id, app_id, state, reason, attempts, scheduled, newest, event_type, updated_at)" +
				" SELECT id, ?1, ?3, CASE WHEN i = ?4 / 2 THEN 'held' WHEN NOT " + failed + " THEN 'delivered' WHEN i >= ?4 - 20 THEN 'retrying' ELSE 'failed' END," +
				" '', 1, 1, '', event_type, 0 FROM place ORDER BY i", []any{ep, e, d.app, d.messages}},
			step{"INSERT INTO attempt (id, message_id, endpoint_id, app_id, event_type, number, trigger, url, started_at, duration, success, status, truncated, error_class, message, header, body)" +
				" SELECT 'atmpt_' || substr(id, 5, 19) || ?2 || substr(id, 25), id, ?1, ?3, event_type, 1, 'auto', 'https://example.com/', 0, 12000, NOT (" + failed + ") AND i <> ?4 / 2," +
				" CASE WHEN i = ?4 / 2 THEN 302 WHEN NOT " + failed + " THEN 200 ELSE (500 * (i % 3 = 0) + 404 * (i % 3 = 1)) END, 0, '', '', '{\"Content-Type\":[\"application/json\"]}', x'7b7d'" +
				" FROM place ORDER BY i", []any{ep, e, d.app, d.messages}},
		)
	}
	for _, s := range append(steps, labelSteps()...) {
		if _, err := db.ExecContext(ctx, s.text, s.args...); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
	}
	return db.QueryRowContext(ctx, "SELECT count(*) FROM attempt").Scan(&d.attempts)
}

package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func nested(levels int) string {
	return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

// TestPayloadsOfAnyShape follows payloads into the database, to the sender, and back to whoever asks.
func TestPayloadsOfAnyShape(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for name, payload := range map[string]string{
		"white space":                `{ "a" :` + "\t\r\n" + `1 , "b":[ ] }`,
		"members in any order":       `{"z":1,"a":2,"m":3}`,
		"members of one name":        `{"a":1,"a":2,"A":3}`,
		"an empty name":              `{"":{"":[]}}`,
		"numbers of any size":        `{"a":123456789012345678901234567890.10,"b":1e400,"c":-0,"d":1E+2,"e":0.1000}`,
		"an escaped NUL":             `{"a\u0000b":"\u0000"}`,
		"half of a surrogate pair":   `{"a":"\ud800","b":"\udc00\ud800"}`,
		"escapes and the characters": `{"a":"\u00e9é\/\u003c<&>` + "\u2028\u007f" + `😀\ud83d\ude00"}`,
		"a list of 200,000":          `{"a":[` + strings.Repeat("1,", 200_000) + `1]}`,
		"empty lists, 100,000":       `{"a":[` + strings.Repeat("[],", 100_000) + `{}]}`,
		"512 levels":                 nested(512),
		"brackets in strings":        `{"a":"` + strings.Repeat(`[{\"`, 2000) + `"}`,
		"the names of the envelope":  `{"eventType":1,"payload":{"payload":[]},"channels":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			r := b.do("POST", "/app/"+app+"/msg", `{"eventType":"e","payload":`+payload+`}`)
			require.Equal(t, 202, r.status, r.body)
			id := r.field(t, "id")
			for _, m := range b.dispatcher.startedMessages() {
				if m.ID == id {
					require.Equal(t, payload, string(m.Payload), "to the receivers")
				}
			}
			require.Equal(t, payload, b.do("GET", "/app/"+app+"/msg/"+id+"/raw", "").field(t, "payload"))

			// Inside another answer, all but the white space between the parts is as it was.
			var want bytes.Buffer
			require.NoError(t, json.Compact(&want, []byte(payload)))
			for _, shown := range []string{r.body, b.do("GET", "/app/"+app+"/msg/"+id, "").body} {
				require.Contains(t, shown, `"payload":`+want.String()+`,`)
			}
		})
	}
}

func TestBodiesThatAreNoMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	message := func(payload string) string { return `{"eventType":"e","payload":` + payload + `}` }
	raw := func(text string) string {
		return `{"eventType":"e","payload":{},"transformationsParams":{"rawPayload":` + text + `}}`
	}
	for name, tc := range map[string]struct {
		body string
		says []string
	}{
		"513 levels":                       {message(nested(513)), []string{`"loc":["body","payload"]`, "512"}},
		"a million levels":                 {message(strings.Repeat(`[`, 1_000_000)), []string{`"loc":["body","payload"]`, "512"}},
		"half a million objects":           {message(strings.Repeat(`{"":`, 200_000)), []string{`"loc":["body","payload"]`}},
		"levels in another member":         {`{"application":` + nested(600) + `}`, []string{`"loc":["body","application"]`}},
		"levels behind an escaped quote":   {`{"a\"":1,"payload":` + nested(600) + `}`, []string{`"loc":["body","payload"]`}},
		"levels without a name":            {strings.Repeat(`[`, 600), []string{`"loc":["body"]`}},
		"a NUL byte":                       {message("{\"a\":\"\x00\"}"), []string{"value_error.jsondecode"}},
		"a NUL byte behind it":             {message("{}") + "\x00", []string{"value_error.jsondecode"}},
		"a byte order mark":                {"\xef\xbb\xbf" + message("{}"), []string{"byte order mark", "value_error.jsondecode"}},
		"UTF-16":                           {"{\x00\"\x00}\x00", []string{"value_error"}},
		"invalid UTF-8":                    {message("{\"a\":\"\xc3\x28\"}"), []string{"UTF-8"}},
		"a surrogate in UTF-8":             {message("{\"a\":\"\xed\xa0\x80\"}"), []string{"UTF-8"}},
		"a number that is none":            {message(`{"a":NaN}`), []string{"value_error.jsondecode"}},
		"a leading zero":                   {message(`{"a":01}`), []string{"value_error.jsondecode"}},
		"a comma too many":                 {message(`{"a":1,}`), []string{"value_error.jsondecode"}},
		"two values":                       {message(`{}`) + message(`{}`), []string{"value_error.jsondecode"}},
		"a raw payload that is no text":    {raw(`{}`), []string{`"loc":["body","transformationsParams","rawPayload"]`}},
		"a raw payload with half a pair":   {raw(`"a\ud800b"`), []string{`"loc":["body","transformationsParams","rawPayload"]`, "surrogate"}},
		"a raw payload with the other":     {raw(`"\\\udc00"`), []string{"surrogate"}},
		"a raw payload with pairs swapped": {raw(`"\ude00\ud83d"`), []string{"surrogate"}},
		"a raw payload cut short":          {raw(`"\ud83d"`), []string{"surrogate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.in(t).do("POST", "/app/"+app+"/msg", tc.body)
			require.Equal(t, 422, r.status, r.body)
			for _, says := range tc.says {
				require.Contains(t, r.body, says)
			}
		})
	}
	require.Empty(t, b.dispatcher.startedMessages())
}

func TestRawPayload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for name, tc := range map[string]struct{ raw, want string }{
		"text":                     {`"plain é\n"`, "plain é\n"},
		"the empty text":           {`""`, ""},
		"a NUL":                    {`"a\u0000b"`, "a\x00b"},
		"pairs and escapes":        {`"\ud83d\ude00 \\ud800 \"\\\\\u00e9\u2028\ufffd"`, "😀 \\ud800 \"\\\\é\u2028\ufffd"},
		"JSON":                     {`"{ \"b\": 1.0, \"a\":2 }"`, `{ "b": 1.0, "a":2 }`},
		"null, which means none":   {`null`, `{"p":1}`},
		"nothing that looks after": {`"\u005c"`, `\`},
	} {
		t.Run("is sent as it is: "+name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			r := b.do("POST", "/app/"+app+"/msg", `{"eventType":"e","payload":{"p":1},"transformationsParams":{"rawPayload":`+tc.raw+`,"headers":{"x":"y"}}}`)
			require.Equal(t, 202, r.status, r.body)
			m, err := b.store.MessageByID(t.Context(), r.field(t, "id"))
			require.NoError(t, err)
			require.Equal(t, tc.want, string(m.Payload))
			require.Equal(t, tc.want, b.do("GET", "/app/"+app+"/msg/"+m.ID+"/raw", "").field(t, "payload"))
		})
	}
	id := b.message(app, `{"eventType":"e","eventId":"evt","payload":{ "a":1 }}`)
	gone := b.message(app, `{"eventType":"e","payload":{"a":1}}`)
	require.NoError(t, b.store.ExpungePayload(t.Context(), app, gone))
	limited, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	b.run(t, strings.NewReplacer("{app}", app, "{id}", id, "{gone}", gone), []scenario{
		{name: "is got by the message's id", method: "GET", path: "/app/{app}/msg/{id}/raw", status: 200, contains: []string{`{"payload":"{ \"a\":1 }"}`}},
		{name: "is got by its event id, by its application too", token: limited, method: "GET", path: "/app/{app}/msg/evt/raw", status: 200, contains: []string{`\"a\"`}},
		{name: "is not there any more once expunged", method: "GET", path: "/app/{app}/msg/{gone}/raw", status: 400, contains: []string{`"code":"missing_payload"`}},
		{name: "is not there without a message", method: "GET", path: "/app/{app}/msg/nope/raw", status: 404},
	})
}

func TestAllProblemsOfABodyAreToldAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for name, tc := range map[string]struct {
		path, body string
		locs       []string
	}{
		"of a message": {"/app/{app}/msg", `{"eventType":"a b","eventId":"msg_1","payload":[],"channels":["x y"],"payloadRetentionPeriod":1}`,
			[]string{`["body","eventType"]`, `["body","eventId"]`, `["body","payload"]`, `["body","channels","0"]`, `["body","payloadRetentionPeriod"]`}},
		"of a message of which one has another type": {"/app/{app}/msg", `{"eventType":7,"payload":1}`, []string{`["body","eventType"]`, `["body","payload"]`}},
		"of an application in a message": {"/app/fresh/msg", `{"eventType":"e","payload":{},"application":{"uid":"fresh","name":"","throttleRate":-1}}`,
			[]string{`["body","application","name"]`, `["body","application","throttleRate"]`}},
		"of an endpoint": {"/app/{app}/endpoint", `{"url":"x://y","uid":"ep_1","channels":["` + strings.Repeat("c", 128) + `"],"metadata":{"k":"` + strings.Repeat("v", 5000) + `"}}`,
			[]string{`["body","url"]`, `["body","uid"]`, `["body","metadata"]`}},
		"of an application": {"/app", `{"name":"n","uid":"app_1","metadata":{"k":"` + strings.Repeat("v", 5000) + `"}}`, []string{`["body","uid"]`, `["body","metadata"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.in(t).do("POST", strings.ReplaceAll(tc.path, "{app}", app), tc.body)
			require.Equal(t, 422, r.status, r.body)
			for _, loc := range tc.locs {
				require.Equal(t, 1, strings.Count(r.body, `"loc":`+loc), "%s in %s", loc, r.body)
			}
			require.Equal(t, len(tc.locs), strings.Count(r.body, `"loc":`), r.body)
		})
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for fields, want := range map[string]time.Duration{
		``:                               posthorn.DefaultRetention,
		`,"payloadRetentionPeriod":null`: posthorn.DefaultRetention,
		`,"payloadRetentionHours":1`:     time.Hour,
		`,"payloadRetentionHours":2160`:  posthorn.DefaultRetention,
		`,"payloadRetentionPeriod":30`:   30 * day,
		`,"payloadRetentionPeriod":5`:    posthorn.MinRetention,
		`,"payloadRetentionHours":0`:     0,
		`,"payloadRetentionHours":2161`:  0,
		`,"payloadRetentionHours":-1`:    0,
		`,"payloadRetentionHours":"1"`:   0,
		`,"payloadRetentionHours":1.5`:   0,
		`,"payloadRetentionHours":1e99`:  0,
		`,"payloadRetentionPeriod":10000000000,"payloadRetentionHours":1`: 0,
		`,"payloadRetentionPeriod":5,"payloadRetentionHours":1`:           0,
	} {
		r := b.do("POST", "/app/"+app+"/msg", `{"eventType":"e","payload":{}`+fields+`}`)
		if want == 0 {
			require.Equal(t, 422, r.status, fields)
			require.Contains(t, r.body, `"loc":["body","payloadRetention`)
			continue
		}
		require.Equal(t, 202, r.status, r.body)
		m, err := b.store.MessageByID(t.Context(), r.field(t, "id"))
		require.NoError(t, err)
		require.Equal(t, want, m.ExpiresAt.Sub(m.CreatedAt), fields)
	}
}

// bottomless is a body that never ends, and notes whether anybody reads it.
type bottomless struct{ read int }

func (e *bottomless) Read(p []byte) (int, error) {
	e.read += len(p)
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestLargeBodiesAreNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for _, key := range []string{"", "k"} {
		send := func(path string, size, length int64) (reply, int) {
			body := &bottomless{}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+basePath+path, io.LimitReader(body, size))
			require.NoError(t, err)
			request.ContentLength = length
			request.Header = http.Header{"Authorization": {"Bearer " + b.org}, "Expect": {"100-continue"}}
			if key != "" {
				request.Header.Set(keyHeader, key)
			}
			transport := &http.Transport{ExpectContinueTimeout: time.Minute}
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport}).Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			answer, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			return reply{status: response.StatusCode, body: string(answer)}, body.read
		}
		for path, limit := range map[string]int64{
			"/app/" + app + "/msg": maxMessageBody, "/app/" + app + "/msg/batch": maxBatchBody, "/app": maxBody, "/event-type": maxBody,
		} {
			r, read := send(path, 1<<30, 1<<30)
			require.Equal(t, 413, r.status, r.body)
			require.Contains(t, r.body, `"code":"payload_too_large"`)
			require.Zero(t, read, path)
			r, _ = send(path, limit+1000, -1)
			require.Equal(t, 413, r.status, "without a length it is cut off")
		}
	}
}

// FuzzPayload: a payload that is accepted reaches database, sender and reader as it was; one that is not is a 422.
func FuzzPayload(f *testing.F) {
	b := setup(f)
	app := b.application()
	for _, seed := range []string{
		`{}`, ` { "a" : 1 } `, `{"a":1,"a":2}`, `{"a":1e999}`, `{"a":"\u0000"}`, `{"a":"\ud800"}`, "{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}",
		`[]`, `null`, `{`, nested(512), nested(513), `{"a":` + strings.Repeat("[", 20_000), `{},"payload":[]`, `{},"eventType":"x y"`, `"\"{"`, `{"a":"\\"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		b := b.in(t)
		body := `{"eventType":"e","payload":` + payload + `}`
		r := b.do("POST", "/app/"+app+"/msg", body)
		if r.status != http.StatusAccepted {
			require.Contains(t, []int{http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusConflict}, r.status, r.body)
			return
		}
		var sent struct{ Payload, Data json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(body), &sent))
		var envelope struct{ TransformationsParams *struct{ RawPayload *string } }
		_ = json.Unmarshal([]byte(body), &envelope)
		if envelope.TransformationsParams != nil {
			return
		}
		if len(sent.Payload) == 0 {
			sent.Payload = sent.Data
		}
		m, err := b.store.MessageByID(t.Context(), r.field(t, "id"))
		require.NoError(t, err)
		require.Equal(t, string(sent.Payload), string(m.Payload))
		require.Equal(t, string(sent.Payload), b.do("GET", "/app/"+app+"/msg/"+m.ID+"/raw", "").field(t, "payload"))
	})
}

// FuzzRawText: hasLoneSurrogate finds exactly the strings whose text is not what they say.
func FuzzRawText(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\ud800"`, `"\ud83d\ude00"`, `"\\ud800"`, `"\ufffd"`, `"�"`, `"\udc00\udc00"`, `"\ud83d\ud83d\ude00"`, `"\ud83d\n"`, `"\ud83dude00"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var decoded string
		if strings.ToValidUTF8(text, "") != text || json.Unmarshal([]byte(text), &decoded) != nil || text[0] != '"' {
			return
		}
		// encoding/json puts the replacement character in place of each half.
		replaced := strings.Count(decoded, "\ufffd") > strings.Count(text, "\ufffd")+strings.Count(strings.ToLower(strings.ReplaceAll(text, `\\`, `--`)), `\ufffd`)
		require.Equal(t, replaced, hasLoneSurrogate([]byte(text)), text)
	})
}

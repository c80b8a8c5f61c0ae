package openapi_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/binarytest"
	"github.com/posthorn/posthorn/internal/tooltest"
)

// The documentation page shows the document in a browser, takes a token, makes requests with it, and asks nobody but the
// server for anything.
func TestTheDocumentationPage(t *testing.T) {
	s := newServer(t)
	b := newBrowser(t)
	b.do(t, chromedp.Navigate(s.url+"/"), chromedp.WaitVisible(chromedp.CSS(`.swagger-ui .opblock`)))
	require.Equal(t, s.url+"/docs", ask(t, b, chromedp.Location()))
	page := ask(t, b, chromedp.Text(chromedp.CSS(`#api`)))
	for _, text := range []string{"Posthorn", "OAS 3.1", "Authorize", "Create an application", "/api/v1/app/{app_id}/msg", "Message attempt"} {
		require.Contains(t, page, text)
	}

	list := `[id$="application\\.list"] ` // Swagger UI puts backslashes into the id
	answer := chromedp.CSS(list + `.live-responses-table`)
	t.Run("a request without a token is refused", func(t *testing.T) {
		b.do(t,
			chromedp.Click(chromedp.CSS(list+`.opblock-summary-control`)), chromedp.Click(chromedp.CSS(list+`.try-out__btn`)),
			chromedp.Click(chromedp.CSS(list+`.execute`)), chromedp.WaitVisible(answer))
		require.Contains(t, ask(t, b, chromedp.Text(answer)), "authentication_failed")
	})
	t.Run("with the token that was pasted it is answered", func(t *testing.T) {
		s.do(http.MethodPost, "/app", `{"name":"Shown in the page"}`, nil)
		b.do(t,
			chromedp.Click(chromedp.CSS(`.auth-wrapper .authorize`)), chromedp.SendKeys(chromedp.CSS(`.auth-container input`), s.token),
			chromedp.Click(chromedp.CSS(`.auth-container button.authorize`)), chromedp.Click(chromedp.CSS(`.auth-container button.btn-done`)),
			chromedp.Click(chromedp.CSS(list+`.execute`)))
		require.Eventually(t, func() bool {
			return strings.Contains(ask(t, b, chromedp.Text(answer)), "Shown in the page")
		}, binarytest.Patience, 50*time.Millisecond)
	})
	t.Run("the token is kept in the memory of the page only", func(t *testing.T) {
		kept := ask(t, b, chromedp.Evaluate[string](`JSON.stringify([localStorage, sessionStorage, document.cookie])`))
		require.Equal(t, `[{},{},""]`, kept)
	})
	if folder := os.Getenv("POSTHORN_SCREENSHOTS"); folder != "" {
		shot := ask(t, b, chromedp.CaptureScreenshot())
		require.NoError(t, os.WriteFile(filepath.Join(folder, "docs.png"), shot, 0o600))
	}

	requested := b.noted(&b.requested)
	documents := slices.DeleteFunc(slices.Clone(requested), func(address string) bool { return !strings.HasSuffix(address, "/openapi.json") })
	require.Len(t, documents, 2, "without the token, and with it")
	for _, address := range requested {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.True(t, u.Scheme == "data" || u.Scheme+"://"+u.Host == s.url, "the page asks for %s", address)
	}
	require.NotEmpty(t, b.noted(&b.complaints), "of the request that was to be refused")
	for _, complaint := range b.noted(&b.complaints) {
		require.Contains(t, complaint, "status of 401", "the browser complains of more than the request that was to be refused")
	}
	s.end()
}

// browser is a headless Chromium with one page.
type browser struct {
	ctx context.Context

	mu         sync.Mutex
	requested  []string // addresses
	complaints []string // errors and warnings in the console
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := tooltest.Find(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(1200, 1600), chromedp.UserDataDir(t.TempDir()))
	allocator, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx}
	var listening sync.WaitGroup
	t.Cleanup(func() {
		require.NoError(t, chromedp.Cancel(ctx))
		listening.Wait()
	})
	requests, messages := chromedp.Events(ctx, network.RequestWillBeSent), chromedp.Console(ctx)
	listening.Go(func() {
		for e, err := range requests {
			if err == nil {
				b.note(&b.requested, e.Request.URL)
			}
		}
	})
	listening.Go(func() {
		for m, err := range messages {
			if err == nil && (m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.IsException()) {
				b.note(&b.complaints, m.String())
			}
		}
	})
	return b
}

func (b *browser) note(list *[]string, line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, line)
}

func (b *browser) noted(list *[]string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(*list)
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, binarytest.Patience)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, steps...))
}

// ask returns what an action finds out.
func ask[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, binarytest.Patience)
	defer cancel()
	found, err := chromedp.Run(ctx, action)
	require.NoError(t, err)
	return found
}

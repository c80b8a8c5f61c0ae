package devserver

import (
	"context"
	"net"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// webUI is the running Temporal Web UI.
type webUI struct {
	server *uiserver.Server
	done   chan struct{}
}

// startUI serves the Web UI on listen and waits until it does. It ends the process if the port is taken, so the port
// must have been checked.
func startUI(ctx context.Context, listen address, temporalAddr, namespace string) (*webUI, error) {
	host := listen.ip.String()
	if listen.ip.To4() == nil {
		host = "[" + host + "]"
	}
	ui := &webUI{
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host:                host,
			Port:                listen.port,
			TemporalGRPCAddress: temporalAddr,
			EnableUI:            true,
			DefaultNamespace:    namespace,
			// The page is served over plain HTTP.
			CORS: uiconfig.CORS{CookieInsecure: true},
			// No requests to the internet, no request log on standard output.
			DisableNewsFetch: true,
			HideLogs:         true,
			// The open page would count all workflows by status every few seconds, a full scan each time.
			RefreshWorkflowCountsDisabled: true,
		})),
		done: make(chan struct{}),
	}
	go func() {
		defer close(ui.done)
		_ = ui.server.Start() // nil after Stop; anything else has ended the process
	}()
	err := poll(ctx, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", listen.dial())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		ui.stop()
		return nil, err
	}
	return ui, nil
}

func (u *webUI) stop() {
	u.server.Stop()
	<-u.done
}

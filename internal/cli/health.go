package cli

import (
	"time"

	"github.com/posthorn/posthorn/internal/config"
)

// healthFlags are about endpoints that fail.
type healthFlags struct {
	BreakerFailures       int      `placeholder:"N" default:"${breaker_failures}" help:"Messages in a row that have to fail at their first attempt until an endpoint's messages are held and it is only probed; 0 for never."`
	BreakerProbeInterval  duration `placeholder:"TIME" default:"${breaker_probe_interval}" help:"Time between two probes of such an endpoint, 1s to 24h."`
	DisableEndpointsAfter duration `placeholder:"TIME" default:"${disable_endpoints_after}" help:"Disable an endpoint after so much time of nothing but failure, 1m or more; 0s for never."`
}

func (h *healthFlags) apply(cfg *config.Config) {
	cfg.Health = config.Health{
		BreakerFailures: h.BreakerFailures, BreakerProbeInterval: time.Duration(h.BreakerProbeInterval),
		DisableAfter: time.Duration(h.DisableEndpointsAfter),
	}
}

package cli

import (
	"strings"

	"github.com/posthorn/posthorn/internal/config"
)

// outgoingFlags say how deliveries reach their receivers.
type outgoingFlags struct {
	Proxy         string   `placeholder:"URL" help:"Proxy through which deliveries go: http://…, https://…, socks5://… (names are resolved here) or socks5h://… (by the proxy). A user name and password in it are kept from logs; better set the variable."`
	NoProxy       []string `sep:"," placeholder:"HOSTS" help:"Hosts that deliveries reach without the proxy, separated by commas: names with all below them, addresses and networks. This machine always is."`
	CAFile        string   `name:"ca-file" placeholder:"FILE" help:"Certificates of authorities, in PEM, that are trusted besides those of the system when a receiver shows its certificate."`
	SkipTLSVerify bool     `name:"dangerous-skip-tls-verify" help:"Take any certificate from receivers. Whoever is on the way can then read and answer deliveries: for tests only. Prefer --ca-file."`
}

func (f *outgoingFlags) outgoing() config.Outgoing {
	o := config.Outgoing{Proxy: f.Proxy, CAFile: f.CAFile, SkipTLSVerify: f.SkipTLSVerify}
	for _, host := range f.NoProxy {
		o.NoProxy = append(o.NoProxy, strings.TrimSpace(host))
	}
	return o
}

package config

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Outgoing is how deliveries reach their receivers.
type Outgoing struct {
	// Proxy is the URL of an HTTP or SOCKS proxy, perhaps with user name and password, through which deliveries go.
	// With socks5 host names are resolved here, with http, https and socks5h by the proxy. Default: none.
	Proxy string
	// NoProxy are the hosts that deliveries reach without it: names, with all below them, addresses and networks, all but
	// networks perhaps with a port. Default: none but this machine.
	NoProxy []string
	// CAFile holds certificates of authorities, in PEM, that are trusted besides those of the system. Default: none.
	CAFile string
	// SkipTLSVerify takes any certificate from receivers, so that whoever is on the way can read and answer what is
	// delivered. Default: false.
	SkipTLSVerify bool
}

// ProxyURL returns what Proxy says, nil if there is none.
func (o Outgoing) ProxyURL() (*url.URL, error) {
	if o.Proxy == "" {
		return nil, nil
	}
	const example = ", such as http://proxy.example.com:3128 or socks5://10.0.0.7:1080"
	u, err := url.Parse(o.Proxy)
	if err != nil || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		// Neither the URL nor the error is repeated, as both may hold a password.
		return nil, errors.New("must be a URL with http, https, socks5 or socks5h" + example)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" ||
		u.Port() != "" && (err != nil || port == 0) {
		return nil, errors.New("must be a URL with host and port alone" + example)
	}
	return u, nil
}

func (o Outgoing) validate(add func(format string, args ...any)) {
	if _, err := o.ProxyURL(); err != nil {
		add("--proxy %w", err)
	}
	for _, host := range o.NoProxy {
		if !isNoProxyHost(host) {
			add("--no-proxy must have names, addresses and networks such as internal.example.com,10.0.0.0/8, not %q", host)
		}
	}
	if len(o.NoProxy) > 0 && o.Proxy == "" {
		add("--no-proxy needs --proxy")
	}
	if o.CAFile != "" && o.SkipTLSVerify {
		add("--ca-file and --dangerous-skip-tls-verify exclude each other")
	}
}

func isNoProxyHost(host string) bool {
	if strings.Contains(host, "/") {
		_, err := netip.ParsePrefix(host)
		return err == nil
	}
	return host != "" && !strings.ContainsAny(host, " \t,@?#")
}

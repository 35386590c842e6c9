package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxies are TCP proxies that delay, cut and refuse on command.
type proxies struct {
	server *toxiproxy.ApiServer
}

func newProxies() *proxies {
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	return &proxies{server: toxiproxy.NewServer(metrics, zerolog.Nop())}
}

// add starts a proxy in front of an address.
func (p *proxies) add(name, upstream string) (*proxy, error) {
	added := toxiproxy.NewProxy(p.server, name, "127.0.0.1:0", upstream)
	if err := p.server.Collection.Add(added, true); err != nil {
		return nil, fmt.Errorf("starting the proxy %s: %w", name, err)
	}
	return &proxy{Proxy: added}, nil
}

// proxy is one of them.
type proxy struct {
	*toxiproxy.Proxy
}

// address is where it listens, for good.
func (p *proxy) address() string { return p.Listen }

// add makes a toxic work on what comes down to the client.
func (p *proxy) add(kind string, attributes map[string]any) error {
	return p.addOn("downstream", kind, attributes)
}

// mute has all answers vanish, on connections that stay open.
func (p *proxy) mute() error { return p.stall("downstream") }

// swallow has all requests vanish, on connections that stay open.
func (p *proxy) swallow() error { return p.stall("upstream") }

func (p *proxy) stall(stream string) error {
	return p.addOn(stream, "timeout", map[string]any{"timeout": 0}) // For good.
}

func (p *proxy) addOn(stream, kind string, attributes map[string]any) error {
	text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	if err != nil {
		return err
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
		return fmt.Errorf("adding the toxic %s: %w", kind, err)
	}
	return nil
}

// delay delays everything that comes down.
func (p *proxy) delay(latency, jitter time.Duration) error {
	return p.add("latency", map[string]any{"latency": latency.Milliseconds(), "jitter": jitter.Milliseconds()})
}

// reset resets connections after a while.
func (p *proxy) reset(after time.Duration) error {
	return p.add("reset_peer", map[string]any{"timeout": after.Milliseconds()})
}

// cut ends all connections, and lets new ones come about.
func (p *proxy) cut() error {
	p.Stop()
	return p.Start()
}

package zim_test

import (
	"strings"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

func TestAccountAt(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint  string
		wantRealm string
	}{
		"the vendor":                  {"https://zim-api.zego.im", "zego.im"},
		"another access point":        {"https://zim-api-sgp.zego.im", "zego.im"},
		"the domain itself":           {"https://zego.im", "zego.im"},
		"deeper name":                 {"https://a.b.zego.im", "zego.im"},
		"capitals":                    {"HTTPS://ZIM-API.Zego.IM", "zego.im"},
		"slash":                       {"https://zim-api.zego.im/", "zego.im"},
		"dot of the root":             {"https://zim-api.zego.im.", "zego.im"},
		"port":                        {"https://zim-api.zego.im:443", "zego.im"},
		"http":                        {"http://zim-api.zego.im", "zego.im"},
		"the vendor's name inside":    {"https://zego.im.evil.com", "zego.im.evil.com:443"},
		"the vendor's name as ending": {"https://evilzego.im", "evilzego.im:443"},
		"the domain, dot of the root": {"https://zego.im.", "zego.im"},
		"own host":                    {"https://zim.example.com", "zim.example.com:443"},
		"own host, capitals and dot":  {"https://ZIM.Example.com./", "zim.example.com:443"},
		"own host, default port":      {"https://zim.example.com:443", "zim.example.com:443"},
		"own host, padded port":       {"https://zim.example.com:0443", "zim.example.com:443"},
		"own host, empty port":        {"https://zim.example.com:", "zim.example.com:443"},
		"own host, http":              {"http://zim.example.com", "zim.example.com:80"},
		"own host, other port":        {"http://zim.example.com:8080/", "zim.example.com:8080"},
		"IPv4":                        {"http://127.0.0.1:8080", "127.0.0.1:8080"},
		"IPv6":                        {"http://[::1]:8080", "[::1]:8080"},
		"IPv6, default port":          {"https://[2001:DB8::1]", "[2001:db8::1]:443"},
		"IPv6, long form":             {"https://[2001:0db8:0:0:0:0:0:1]:443", "[2001:db8::1]:443"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := zim.AccountAt(tc.endpoint, appID)
			if err != nil {
				t.Fatal(err)
			}
			if want := (zim.Account{Realm: tc.wantRealm, AppID: appID}); got != want {
				t.Errorf("AccountAt(%q) = %v, want %v", tc.endpoint, got, want)
			}
			client, err := zim.NewClient(zim.Config{
				Endpoint: tc.endpoint, AppID: appID, ServerSecret: secret, HTTPClient: zim.NewHTTPClient(),
			})
			if err != nil {
				t.Fatal(err)
			}
			if client.Account() != got {
				t.Errorf("the client's account is %v, want %v", client.Account(), got)
			}
		})
	}
}

func TestAccountString(t *testing.T) {
	account := zim.Account{Realm: "zego.im", AppID: 4294967295}
	if got, want := account.String(), "4294967295@zego.im"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestParseEndpoint(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint string
		wantErr  bool
	}{
		"https":              {"https://zim-api.zego.im", false},
		"http":               {"http://zim-api.zego.im", false},
		"port and slash":     {"https://localhost:8443/", false},
		"highest port":       {"https://localhost:65535", false},
		"IPv6":               {"https://[::1]:8443", false},
		"empty":              {"", true},
		"blank":              {" ", true},
		"no scheme":          {"zim-api.zego.im", true},
		"no host":            {"https://", true},
		"only a port":        {"https://:443", true},
		"opaque":             {"https:zim-api.zego.im", true},
		"other scheme":       {"ftp://zim-api.zego.im", true},
		"unix":               {"unix:///run/zim.sock", true},
		"user":               {"https://user@zim-api.zego.im", true},
		"user and password":  {"https://user:" + secret + "@zim-api.zego.im", true},
		"empty user":         {"https://@zim-api.zego.im", true},
		"path":               {"https://zim-api.zego.im/v1", true},
		"two slashes":        {"https://zim-api.zego.im//", true},
		"query":              {"https://zim-api.zego.im/?Action=DestroyRoom", true},
		"empty query":        {"https://zim-api.zego.im?", true},
		"fragment":           {"https://zim-api.zego.im/#x", true},
		"port beyond 65535":  {"https://zim-api.zego.im:65536", true},
		"port 0":             {"https://zim-api.zego.im:0", true},
		"port not a number":  {"https://zim-api.zego.im:https", true},
		"space in the host":  {"https://zim api.zego.im", true},
		"line break":         {"https://zim-api.zego.im\r\nHost: evil", true},
		"bracket left open":  {"https://[::1", true},
		"percent in a host":  {"https://zim%2Dapi.zego.im", true},
		"secret, badly made": {"https://zim-api.zego.im:" + secret, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := zim.ParseEndpoint(tc.endpoint)
			if (err != nil) != tc.wantErr {
				t.Fatalf("ParseEndpoint(%q) = %v, want an error: %t", tc.endpoint, err, tc.wantErr)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats the endpoint: %v", err)
			}
			_, accountErr := zim.AccountAt(tc.endpoint, appID)
			if (accountErr != nil) != tc.wantErr {
				t.Errorf("AccountAt(%q) = %v, want an error: %t", tc.endpoint, accountErr, tc.wantErr)
			}
		})
	}
}

func TestIsVendorHost(t *testing.T) {
	for host, want := range map[string]bool{
		"zego.im":              true,
		"zim-api.zego.im":      true,
		"ZIM-API-SHA.ZEGO.IM":  true,
		"zim-api.zego.im.":     true,
		"zego.im.evil.com":     false,
		"evilzego.im":          false,
		"zim-api.zego.im.evil": false,
		"zego.com":             false,
		"zego.im..":            false,
		"im":                   false,
		"":                     false,
		".":                    false,
		"127.0.0.1":            false,
	} {
		if got := zim.IsVendorHost(host); got != want {
			t.Errorf("IsVendorHost(%q) = %t, want %t", host, got, want)
		}
	}
}

func TestNewClientRefusesWhatCannotWork(t *testing.T) {
	valid := zim.Config{Endpoint: "https://zim-api.zego.im", AppID: appID, ServerSecret: secret, HTTPClient: zim.NewHTTPClient()}
	for name, tc := range map[string]struct {
		change func(*zim.Config)
	}{
		"no endpoint":    {func(c *zim.Config) { c.Endpoint = "" }},
		"no AppID":       {func(c *zim.Config) { c.AppID = 0 }},
		"no secret":      {func(c *zim.Config) { c.ServerSecret = "" }},
		"no HTTP client": {func(c *zim.Config) { c.HTTPClient = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			config := valid
			tc.change(&config)
			client, err := zim.NewClient(config)
			if err == nil {
				t.Fatalf("NewClient() = %v, want an error", client.Account())
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

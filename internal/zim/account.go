package zim

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// vendorDomain holds all access points of the vendor's one service.
const vendorDomain = "zego.im"

// Account is what ZIM counts calls and rooms against: an AppID at a realm. It is comparable.
type Account struct {
	// Realm is the service that knows the AppID. All hosts of zego.im are one; any other host and port is its own.
	Realm string
	// AppID is the number that the ZEGOCLOUD console shows for the project.
	AppID uint32
}

// String returns the account as AppID@realm.
func (a Account) String() string {
	return fmt.Sprintf("%d@%s", a.AppID, a.Realm)
}

// AccountAt returns the account of an AppID at an endpoint. It fails when the endpoint is not an address (see
// ParseEndpoint).
func AccountAt(endpoint string, appID uint32) (Account, error) {
	address, err := ParseEndpoint(endpoint)
	if err != nil {
		return Account{}, err
	}
	return Account{Realm: realm(address), AppID: appID}, nil
}

// IsVendorHost tells whether a host name is one of the vendor's access points.
func IsVendorHost(host string) bool {
	host = normalHost(host)
	return host == vendorDomain || strings.HasSuffix(host, "."+vendorDomain)
}

// ParseEndpoint checks and parses the address of the server API: http or https, a host, optionally a port and a slash.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	address, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("endpoint is not a URL") // The cause would repeat the whole text.
	}
	plain := address.User == nil && address.RawQuery == "" && !address.ForceQuery && address.Fragment == "" &&
		(address.Path == "" || address.Path == "/")
	if address.Hostname() == "" || (address.Scheme != "http" && address.Scheme != "https") || !plain {
		return nil, errors.New("endpoint must be http or https, a host and optionally a port, and nothing else")
	}
	if port := address.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return nil, errors.New("endpoint has a port that does not exist")
		}
	}
	return address, nil
}

func realm(address *url.URL) string {
	host := normalHost(address.Hostname())
	if IsVendorHost(host) {
		return vendorDomain
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.String()
	}
	port := strings.TrimLeft(address.Port(), "0")
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	return net.JoinHostPort(host, port)
}

// normalHost writes a host name in one way: lower case, without the dot of the DNS root.
func normalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

package controllers

import (
	"fmt"
	"slices"
	"strings"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// EndpointPolicy says which endpoints a ZimApp may name. Without it, whoever may write a ZimApp could have the
// operator send signed requests to any address it can reach.
type EndpointPolicy struct {
	// AllowedHosts are host names, with port or without, that are admitted besides those of the vendor.
	AllowedHosts []string
	// AllowInsecure admits http, and every host: for simulators.
	AllowInsecure bool
}

// endpointOf returns the address that a ZimApp's calls go to.
func endpointOf(object *zimv1alpha1.ZimApp) string {
	if object.Spec.Endpoint == "" {
		return zimv1alpha1.DefaultEndpoint
	}
	return object.Spec.Endpoint
}

// check returns an error that says what to change if the endpoint is not admitted.
func (p EndpointPolicy) check(endpoint string) error {
	address, err := zim.ParseEndpoint(endpoint)
	if err != nil {
		return err
	}
	if p.AllowInsecure {
		return nil
	}
	if address.Scheme != "https" {
		return fmt.Errorf("%s is not admitted: use https, or start the manager with --allow-insecure-endpoints",
			address.Scheme)
	}
	admitted := zim.IsVendorHost(address.Hostname()) || slices.ContainsFunc(p.AllowedHosts, func(host string) bool {
		return strings.EqualFold(host, address.Hostname()) || strings.EqualFold(host, address.Host)
	})
	if !admitted {
		return fmt.Errorf("host %s is not admitted: use a host of zego.im, or start the manager with "+
			"--allowed-endpoint-hosts=%s", address.Hostname(), address.Hostname())
	}
	return nil
}

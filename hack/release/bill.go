package main

import (
	"encoding/base64"
	"encoding/hex"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// billOf returns the bill of materials. It holds no time and no serial number: the same binary has the same bill.
func billOf(info *debug.BuildInfo, version string, modules []module) *cdx.BOM {
	bill := cdx.NewBOM()
	bill.Metadata = &cdx.Metadata{Component: &cdx.Component{
		BOMRef:     purl(info.Main.Path, version),
		Type:       cdx.ComponentTypeApplication,
		Name:       info.Main.Path,
		Version:    version,
		PackageURL: purl(info.Main.Path, version),
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	components := []cdx.Component{{
		BOMRef: purl("std", goVersion), Type: cdx.ComponentTypeLibrary, Name: "std", Version: goVersion,
		PackageURL: purl("std", goVersion),
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "BSD-3-Clause"}}},
	}}
	for _, m := range modules {
		components = append(components, componentOf(m))
	}
	bill.Components = &components
	return bill
}

func componentOf(m module) cdx.Component {
	component := cdx.Component{
		BOMRef: purl(m.path, m.version), Type: cdx.ComponentTypeLibrary, Name: m.path, Version: m.version,
		PackageURL: purl(m.path, m.version),
	}
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.sum, "h1:")); err == nil {
		component.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	licences := cdx.Licenses{}
	for _, id := range m.licences {
		licences = append(licences, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	component.Licenses = &licences
	return component
}

// purl names a Go module as package URLs do.
func purl(path, version string) string { return "pkg:golang/" + path + "@" + version }

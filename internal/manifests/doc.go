// Package manifests holds the tests of what config/ installs: kustomizations and chart, judged by a real API server,
// and rights, judged by what the manager does with them. They run kustomize and helm as people do, from hack/tools.
package manifests

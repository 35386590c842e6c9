// Package argocd tests config/argocd in the Lua engine of Argo CD. It is a module of its own, so that the operator does
// not depend on that.
package argocd

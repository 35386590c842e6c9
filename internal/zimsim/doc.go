// Package zimsim simulates the ZIM server API.
package zimsim

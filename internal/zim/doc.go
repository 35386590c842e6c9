// Package zim is a client of the ZEGOCLOUD ZIM (In-app Chat) server API: signing, the calls that rooms need, the return
// codes, and the pacing of calls under an account's quota.
//
// It knows nothing of Kubernetes. Vendor reference: https://www.zegocloud.com/docs/zim-server/overview
package zim

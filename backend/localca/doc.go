// Package localca is the certificate authority of this machine: it makes HTTPS,
// and with it HTTP/2, possible for names that no public authority certifies.
//
// The authority is made once and kept in the data folder. Its certificate is
// constrained, critically, to loopback names and addresses and to the hosts that
// were configured when it was made: who trusts it, or steals its key, can at most
// pose as those. Server certificates are made when they are asked for, live 90
// days, are renewed when 30 are left, and are kept in memory only.
//
// The package starts no goroutines. It does not know where authorities are
// trusted; that is package trust.
package localca

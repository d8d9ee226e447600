package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Unreachable means that a request was never sent: the host has no address, refuses, or is not whom it says it is.
type Unreachable struct {
	Host string
	Err  error
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("host %s cannot be reached: %s%s", e.Host, e.Err, e.hint())
}

func (e *Unreachable) Unwrap() error { return e.Err }

func (e *Unreachable) hint() string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case isCertificate(e.Err):
		return "; if a proxy answers in its place, name its authority's certificate in SSL_CERT_FILE"
	case errors.As(e.Err, &op) && op.Op == "proxyconnect":
		return "; check HTTPS_PROXY and NO_PROXY"
	case errors.As(e.Err, &dns):
		return "; check the host's name, the network, and HTTPS_PROXY"
	}
	return ""
}

// Unanswered means that a request was sent, wholly or in part, and no answer came: it may have taken effect.
type Unanswered struct {
	Host string
	Err  error
}

func (e *Unanswered) Error() string {
	if errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("host %s closed the connection without an answer", e.Host)
	}
	if errors.Is(e.Err, syscall.ECONNRESET) {
		return fmt.Sprintf("host %s broke the connection without an answer", e.Host)
	}
	return fmt.Sprintf("host %s did not answer: %s", e.Host, e.Err)
}

func (e *Unanswered) Unwrap() error { return e.Err }

// standstill is how long nothing came.
type standstill time.Duration

func (s standstill) Error() string { return "nothing came for " + time.Duration(s).String() }

// unsent tells whether err says that nothing of the request left this machine, and whether trying again may help.
func unsent(err error) (is, passing bool) {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return true, !dns.IsNotFound
	}
	if isCertificate(err) {
		return true, false
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return true, false
	}
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true, true
	}
	return errors.Is(err, errHandshake), true
}

func isCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host)
}

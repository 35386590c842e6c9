package zim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
)

// Failure says why a call brought no return code.
type Failure string

// Failures. Their texts are constant, so that a message made of one does not change from call to call.
const (
	FailureNone        Failure = ""
	FailureCancelled   Failure = "the call was cancelled"
	FailureNoTurn      Failure = "no turn to send came in time"
	FailureTimeout     Failure = "no answer in time"
	FailureConnection  Failure = "the connection failed"
	FailureCertificate Failure = "the server's certificate is not trusted"
	FailureHTTPStatus  Failure = "the answer has an HTTP status other than 200"
	FailureNotJSON     Failure = "the answer is not ZIM's JSON"
	FailureTooLarge    Failure = "the answer is too large"
)

// Error is what every failed call returns. It holds nothing that the request was signed with: no secret, signature or
// URL.
type Error struct {
	// Action that failed.
	Action Action
	// Class of the failure: decides what to do about it.
	Class Class
	// Code that ZIM answered; CodeOK if there was no code, and then Failure says why.
	Code Code
	// Failure is why there was no return code.
	Failure Failure
	// HTTPStatus of the answer; 0 if there was none.
	HTTPStatus int
	// RequestID that ZIM gave, for the vendor's support. It changes from call to call: log it, do not show it.
	RequestID string
	// MaybeDone is true if ZIM may have carried the call out although no usable answer came.
	MaybeDone bool
	// cause is the error of the context, if that had ended, or why the call might not leave.
	cause error
}

// Error implements error. Its text is stable for the same failure.
func (e *Error) Error() string {
	switch {
	case e.Code != CodeOK:
		return fmt.Sprintf("%s: ZIM answered %d (%s)", e.Action, e.Code, e.Code)
	case e.HTTPStatus != 0 && e.Failure == FailureHTTPStatus:
		return fmt.Sprintf("%s: %s: %d", e.Action, e.Failure, e.HTTPStatus)
	case !e.MaybeDone && (e.Failure == FailureConnection || e.Failure == FailureTimeout):
		// Refused, unreachable, unknown: who writes an endpoint is not to learn which, or could look around with it.
		return fmt.Sprintf("%s: no connection came about", e.Action)
	default:
		return fmt.Sprintf("%s: %s", e.Action, e.Failure)
	}
}

// Unwrap gives access to the cause, if there is one.
func (e *Error) Unwrap() error {
	return e.cause
}

// ClassOf returns the class of a failed call; ClassOK for nil, and ClassTransient for an error of another kind.
func ClassOf(err error) Class {
	if err == nil {
		return ClassOK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ClassTransient
}

// CodeOf returns ZIM's code for a failed call; CodeOK if there was none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeOK
}

// transportError turns what net/http returned into an Error. It keeps nothing of it: the text of a *url.Error holds
// the signed URL, and others repeat what the server said.
func transportError(ctx context.Context, action Action, err error, maybeDone bool) *Error {
	result := &Error{
		Action: action, Class: ClassTransient, Failure: FailureConnection, MaybeDone: maybeDone, cause: ctx.Err(),
	}
	_, isCertificateError := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		result.Failure = FailureCancelled
	case ctx.Err() != nil, isTimeout(err):
		result.Failure = FailureTimeout
	case isCertificateError:
		result.Failure = FailureCertificate
	}
	return result
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

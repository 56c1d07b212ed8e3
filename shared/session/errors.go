package session

import (
	"errors"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/table"
)

// ErrNone: the token is absent, malformed, unknown, expired or closed; which of
// these it was is nobody's business.
var ErrNone = fault.New(fault.Unauthenticated, "not-signed-in", "请重新登录。", "Please sign in again.")

// ErrStepUp: signed in, but too long ago for what is asked (RFC 9470). Whoever
// signs in again may send the same request with the same Idempotency-Key.
var ErrStepUp = fault.New(fault.Unauthenticated, "step-up-required", "此事须在登录后不久办理，请重新登录后再提交。", "This needs a recent sign-in: sign in again and send it once more.")

// ErrUnavailable: the store did not answer, so nobody is let in.
var ErrUnavailable = fault.New(fault.Unavailable, "sessions-unavailable", "登录服务暂时不可用，请稍后再试。", "Sign-in is not available at the moment. Please try again later.").After(2)

// unavailable keeps a failed condition as it is, because the caller's own
// checks are read from it, and hides every other trouble of the store.
func unavailable(err error) error {
	if _, ok := errors.AsType[*table.ConditionError](err); ok {
		return err
	}
	return ErrUnavailable.Because(err)
}

package bank

import "github.com/doudi-aid/doudi/shared/fault"

// Faults of a callback. The bank sends again whatever we answer with other
// than 2xx, so a refused callback is never lost, only late.
var (
	ErrCallbackUnverified = fault.New(fault.Unauthenticated, "bank-callback-unverified",
		"这条银行回调没有通过签名核验。", "The bank callback failed signature verification.")
	ErrCallbackMalformed = fault.New(fault.Invalid, "bank-callback-malformed",
		"这条银行回调的内容不符合约定。", "The bank callback is not what the protocol says.")
	ErrCallbackTooLarge = fault.New(fault.TooLarge, "bank-callback-too-large",
		"这条银行回调过大。", "The bank callback is too large.")
)

package kmskeys

import "github.com/doudi-aid/doudi/shared/fault"

// ErrForeign: a stored key was wrapped for another purpose or place. Somebody
// moved it.
var ErrForeign = fault.New(fault.Internal, "wrapped-key-refused", "密钥校验未通过，已交由人工处理。", "A stored key failed its check; a person will look.")

package seal

import "github.com/doudi-aid/doudi/shared/fault"

// ErrOpen: the sealed bytes are damaged, were moved from another place, or were
// sealed under a key that is not this one. Which of these cannot be told apart;
// each is an alarm (X116).
var ErrOpen = fault.New(fault.Internal, "seal-broken", "资料校验未通过，已交由人工处理。", "Stored data failed its check; a person will look.")

// ErrKey: no key of that id is to be had.
var ErrKey = fault.New(fault.Unavailable, "key-unavailable", "系统暂时不可用，请稍后再试。", "The service is not available at the moment. Please try again later.").After(5)

// ErrWorn: the key has sealed as often as it may and has not been replaced.
var ErrWorn = fault.New(fault.Unavailable, "key-worn-out", "系统暂时不可用，请稍后再试。", "The service is not available at the moment. Please try again later.")

// ErrKeyFile: the key file is readable by others, damaged or of another form.
var ErrKeyFile = fault.New(fault.Internal, "key-file-refused", "密钥文件不可用。", "The key file cannot be used.")

// Package audit checks an evidence log without trusting who keeps it: an export of
// it, offline (Verify), and the running one, step by step, as the supervision
// body's witness (Witness). It names what it finds down to the leaf. It holds no
// key of the operator's and reads no table; Export, which does, is for the
// operator's side.
package audit

import "fmt"

// Kind is what is wrong.
type Kind string

// The kinds. Each is spoken of in docs/evidence-log.md.
const (
	Edited     Kind = "edited"      // a leaf or an event is another than was logged
	Deleted    Kind = "deleted"     // a leaf was taken out
	Inserted   Kind = "inserted"    // a leaf was put in later
	Reordered  Kind = "reordered"   // leaves changed places
	Truncated  Kind = "truncated"   // the log is shorter than it was
	Forked     Kind = "forked"      // there are two histories
	KeySwapped Kind = "key_swapped" // another key signs
	Missing    Kind = "missing"     // something happened that is no leaf
	Extra      Kind = "extra"       // a leaf of something that did not happen, or twice
	BackDated  Kind = "back_dated"  // it says it happened at a time at which it was not there
	Malformed  Kind = "malformed"   // not of the form that the log writes
	State      Kind = "state"       // a thing is not as its last leaf says
	Ledger     Kind = "ledger"      // money does not add up
	Statement  Kind = "statement"   // the bank's statement is not what was logged
	Unsigned   Kind = "unsigned"    // a signature or cosignature does not hold
)

// labels are the kinds in Chinese.
var labels = map[Kind]string{
	Edited: "内容被改动", Deleted: "记录被删除", Inserted: "记录被插入", Reordered: "顺序被调换", Truncated: "日志被截断", Forked: "日志出现分叉",
	KeySwapped: "签名密钥被更换", Missing: "缺少记录", Extra: "多出记录", BackDated: "时间倒填", Malformed: "格式不符", State: "业务状态与记录不符",
	Ledger: "账目不符", Statement: "银行对账单不符", Unsigned: "签名无效",
}

// Label is the kind in Chinese.
func (k Kind) Label() string { return labels[k] }

// None stands for the leaf of a finding that is about no single one.
const None int64 = -1

// Finding is one thing that is wrong.
type Finding struct {
	Kind Kind   `json:"kind"`
	Leaf int64  `json:"leaf"` // its index; None
	What string `json:"what"` // whose it is: partition, noun, id and version
	Why  string `json:"why"`
}

// String is the finding in a line, Chinese first.
func (f Finding) String() string {
	at := ""
	if f.Leaf != None {
		at = fmt.Sprintf("第 %d 条 leaf %d  ", f.Leaf, f.Leaf)
	}
	return fmt.Sprintf("【%s %s】%s%s  %s", f.Kind.Label(), f.Kind, at, f.What, f.Why)
}

package model

import "fmt"

// invoiceTwice: another application was paid on the same bill.
var invoiceTwice = Kind{Name: "invoice_twice", Title: Words{"同一张票据用了两次", "The same bill twice"},
	run: func(_ Model, f Facts) (hits []Hit) {
		for _, i := range f.Invoices {
			if i.Elsewhere {
				hits = append(hits, hit(fmt.Sprintf("invoice/%d/twice", i.Place), "第%d张票据的号码在另一份已决定救助的申请里用过。请看原件。",
					"The number of bill %d was used in another application that was decided on. Look at the original.", i.Place))
			}
		}
		return hits
	}}

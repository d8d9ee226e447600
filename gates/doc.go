// Package gates is the contract with a user's notebook: what it is told, what it answers, and what the answer is worth.
// It judges answers, starts nothing, and names no vendor.
package gates

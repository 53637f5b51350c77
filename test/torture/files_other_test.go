//go:build !unix

package torture

func raiseFileLimit() {}

func fileLimit() int { return 1 << 20 }

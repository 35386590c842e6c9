// Command tiny is an image for the tests.
package main

func main() {}

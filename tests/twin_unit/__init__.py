"""Parts of the twin, without QEMU; a package, because some of its modules are named as others elsewhere."""

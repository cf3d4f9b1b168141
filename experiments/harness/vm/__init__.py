"""A throw-away Linux VM under QEMU, with the checkout inside. It runs no lab itself: the command in the guest does.

    image     what an image is made of, and its name         sources      where its packages come from
    build     making one, with customise.sh in its root      initramfs    the guest's first file system
    cache     where images live, and the lock on them        accelerator  KVM where a guest really boots under it
    boot      one command in one guest, start to end         machine      which guest, by the processor
    checkout  the working tree on its way in                 bring        files on their way back
    qemu      the command line of the machine                session      the talk with a running guest
    frames    what the two say to each other                 deadlines    how long a guest may be silent
    console   what tells why a guest failed                  guest/       what runs inside
"""

//! What is asked, in what order, through which client port, and which judge decides.

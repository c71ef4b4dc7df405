fn main() {
    println!("headgate {}", env!("CARGO_PKG_VERSION"));
}

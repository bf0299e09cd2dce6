import CZlib
import Foundation
import Testing

@testable import Pictures

/// Small files that ask for much memory or time.
@Suite struct BombTests {
  private func read(_ bytes: Data) throws -> RGBImage {
    try bytes.withUnsafeBytes { try RGBImage($0, path: "x", mostPixels: 1 << 20) }
  }

  /// A PNG file whose 100 compressed texts have 7 MB each, which would take seconds and 700 MB.
  @Test func compressedTextsAreNotExpanded() throws {
    func number(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
    let text = [UInt8](repeating: 0x61, count: 7_000_000)
    var size = compressBound(UInt(text.count))
    var packed = [UInt8](repeating: 0, count: Int(size))
    compress(&packed, &size, text, UInt(text.count))
    let body = Array("zTXta".utf8) + [0, 0] + packed.prefix(Int(size))
    let check = Int(crc32(0, body, UInt32(body.count)))
    let chunk = Data(number(body.count - 4) + body + number(check))
    let picture = Picture(width: 2, height: 1, channels: 3, values: [1, 2, 3, 4, 5, 6])
    var bytes = picture.png()
    for _ in 0..<100 { bytes.insert(contentsOf: chunk, at: 33) }
    // The processor's time of this thread, which other work on the machine does not change.
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    #expect(try read(bytes) == RGBImage(picture))
    #expect(now() - start < 0.5)
  }

  /// The first scan of a component's coefficients may be there again and again.
  @Test(arguments: [(90, true), (100, false), (10_000, false)])
  func scansAreLimited(count: Int, isRead: Bool) throws {
    let sample = try #require(RGBImageTests.samples.first { $0.name == "prog" })
    let bytes = Array(sample.data)
    let start = try #require(
      bytes.indices.last { bytes[$0...].starts(with: [0xFF, 0xDA]) })
    var scan = Array(bytes[start..<bytes.count - 2])
    // The last byte of the scan's header says which bits it adds.
    scan[1 + Int(scan[3])] = 0
    let many = bytes.dropLast(2) + repeatElement(scan, count: count).joined() + bytes.suffix(2)
    let reason: String?
    do {
      _ = try read(Data(many))
      reason = nil
    } catch {
      reason = "\(error)"
    }
    #expect(isRead ? reason == nil : reason?.contains("too many scans") == true)
  }
}

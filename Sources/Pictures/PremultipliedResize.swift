extension RGBImage {
  /// The colors of a picture in another size, with pixels that weigh as much as they are opaque, and their
  /// opacity dropped afterwards: `resize` and then `convert("RGB")` of Pillow.
  public init(
    resizing picture: Picture, width: Int, height: Int, filter: ResamplingFilter
  ) {
    let colors = RGBImage(picture, transparency: .ignored)
    guard picture.channels == 4, (width, height) != (picture.width, picture.height) else {
      self = colors.resized(width: width, height: height, filter: filter)
      return
    }
    let opacities = stride(from: 3, to: picture.values.count, by: 4).map { picture.values[$0] }
    var weighted: [UInt8] = []
    weighted.reserveCapacity(colors.values.count)
    for (place, value) in colors.values.enumerated() {
      let sum = Int(value) * Int(opacities[place / 3]) + 128
      weighted.append(UInt8((sum >> 8 + sum) >> 8))
    }
    func resized(_ values: [UInt8]) -> [UInt8] {
      RGBImage(width: picture.width, height: picture.height, values: values)
        .resized(width: width, height: height, filter: filter).values
    }
    let opacity = resized(opacities.flatMap { [$0, $0, $0] })
    let values = zip(resized(weighted), opacity).map { value, opacity -> UInt8 in
      if opacity == 0 || opacity == 255 { return value }
      let color = 255 * Int(value) / Int(opacity)
      return UInt8(min(255, color))
    }
    self.init(width: width, height: height, values: values)
  }
}

"""The words of the catalogue."""

# level 1 -> level 2 -> level 3: 170 categories together
CATEGORIES: dict[str, dict[str, tuple[str, ...]]] = {
    "Apparel": {
        "Topwear": (
            "Tshirts", "Shirts", "Tops", "Jackets", "Sweatshirts", "Sweaters", "Blazers", "Waistcoat", "Rain Jacket",
            "Tunics", "Kurtas", "Kurtis", "Batik Shirts", "Kebaya", "Polo Shirts", "Tank Tops", "Vests", "Cardigans",
            "Hoodies", "Suits",
        ),
        "Bottomwear": (
            "Jeans", "Trousers", "Shorts", "Skirts", "Track Pants", "Leggings", "Jeggings", "Capris", "Chinos",
            "Culottes", "Joggers", "Sarongs", "Cargo Pants",
        ),
        "Dress": ("Dresses", "Jumpsuit", "Gowns", "Maxi Dresses", "Kaftans"),
        "Innerwear": (
            "Bra", "Briefs", "Boxers", "Trunk", "Camisoles", "Innerwear Vests", "Shapewear", "Thermals",
        ),
        "Loungewear and Nightwear": (
            "Night suits", "Nightdress", "Bath Robe", "Lounge Pants", "Lounge Shorts", "Lounge Tshirts",
        ),
        "Muslim Wear": ("Hijab", "Abaya", "Koko Shirts", "Prayer Sets", "Peci"),
        "Socks": ("Ankle Socks", "Crew Socks", "Sport Socks"),
        "Apparel Set": ("Clothing Set", "Kids Set", "Swimwear", "Tracksuits", "Baby Set"),
    },
    "Accessories": {
        "Bags": (
            "Handbags", "Backpacks", "Clutches", "Laptop Bag", "Messenger Bag", "Duffel Bag", "Trolley Bag",
            "Rucksacks", "Waist Pouch", "Tablet Sleeve", "Tote Bag", "Sling Bag",
        ),
        "Watches": ("Analog Watches", "Digital Watches", "Chronographs", "Smart Watches"),
        "Belts": ("Leather Belts", "Canvas Belts"),
        "Wallets": ("Leather Wallets", "Card Holders", "Coin Purse"),
        "Eyewear": ("Sunglasses", "Reading Glasses", "Sports Goggles"),
        "Jewellery": (
            "Earrings", "Pendant", "Necklace and Chains", "Ring", "Bracelet", "Bangle", "Jewellery Set",
            "Brooch", "Anklet",
        ),
        "Headwear": ("Caps", "Hat", "Headband", "Beanies"),
        "Scarves": ("Scarves", "Stoles", "Mufflers", "Shawls"),
        "Ties": ("Ties", "Bow Ties", "Tie Pins", "Cufflinks"),
        "Gloves": ("Sport Gloves", "Winter Gloves"),
        "Umbrellas": ("Umbrellas",),
        "Hair": ("Hair Clips",),
        "Phone": ("Mobile Pouch", "Phone Straps"),
    },
    "Footwear": {
        "Shoes": (
            "Casual Shoes", "Sports Shoes", "Formal Shoes", "Heels", "Flats", "Boots", "Loafers", "Sneakers", "Mules",
            "Running Shoes", "Football Shoes", "School Shoes", "Espadrilles", "Wedges",
        ),
        "Sandal": ("Sandals", "Sports Sandals", "Gladiators"),
        "Flip Flops": ("Flip Flops", "House Slippers"),
        "Shoe Care": ("Shoe Accessories", "Shoe Laces"),
    },
    "Personal Care": {
        "Fragrance": ("Perfume and Body Mist", "Deodorant", "Cologne", "Fragrance Gift Set"),
        "Makeup": (
            "Foundation", "Compact", "Highlighter and Blush", "Kajal and Eyeliner", "Eyeshadow", "Mascara",
            "Concealer",
        ),
        "Lips": ("Lipstick", "Lip Gloss", "Lip Liner", "Lip Care"),
        "Nails": ("Nail Polish", "Nail Care"),
        "Skin": ("Face Moisturisers", "Face Wash", "Sunscreen", "Body Lotion", "Mask and Peel", "Toner"),
        "Hair Care": ("Hair Colour",),
    },
    "Free Items": {"Free Gifts": ("Free Gifts",)},
    "Sporting Goods": {"Sports Equipment": ("Footballs", "Shuttlecocks", "Yoga Mats", "Water Bottle")},
    "Home": {
        "Home Furnishing": ("Cushion Covers", "Bedsheets", "Blankets"),
        "Bath": ("Towels",),
    },
}  # fmt: skip

BRANDS = (
    "Turtle Bay", "Kanda", "Rimba", "Lintang", "Northgate", "Sari's", "O'Marra", "Pelangi", "Urban Reef",
    "Jalak", "Merapi",
    "Blue Heron", "Nusa", "D'Ayu", "Tenun & Co", "Harbor", "Cendana", "Kijang Sport", "Velvet Fern", "Puspa",
    "Stormline",
    "Melati", "Gilded Oak", "Bukit", "Rainfall", "Anggrek", "Wayang", "Five Rivers", "Kopi & Cotton", "Mahkota",
)  # fmt: skip
PATTERNS = (
    "Check", "Solid", "Striped", "Printed", "Batik", "Ikat", "Floral", "Classic", "Slim Fit", "Essential", "Washed",
    "Embroidered", "Quilted", "Graphic", "Colorblock", "Textured", "Ribbed", "Heritage", "Light", "Comfort",
)  # fmt: skip
# rare names that break careless CSV readers: quotes, commas, apostrophes
ODD_PATTERNS = (
    '"Monsoon" Printed',
    'Fits 15" Laptops,',
    "Rock 'n' Roll",
    "Pack of 3, Assorted",
    "Mother's Day",
    '7" Inseam',
)
ODD_PERMILLE = 45
COLOURS = (
    ("Black", 22), ("White", 14), ("Blue", 12), ("Brown", 8), ("Grey", 7), ("Red", 6), ("Navy Blue", 6), ("Green", 5),
    ("Pink", 5), ("Purple", 4), ("Silver", 3), ("Yellow", 2), ("Beige", 2), ("Gold", 2), ("Maroon", 2), ("Orange", 1),
    ("Olive", 1), ("Cream", 1), ("Turquoise Blue", 1), ("Multi", 1),
)  # fmt: skip
WOMENS = ("Dress", "Makeup", "Lips", "Nails")  # level-2 categories only for women
GENDERS = (("Men", 48), ("Women", 41), ("Unisex", 5), ("Boys", 3), ("Girls", 3))
SEASONS = (("Summer", 48), ("Fall", 26), ("Winter", 19), ("Spring", 7))
USAGES = (("Casual", 78), ("Sports", 9), ("Ethnic", 7), ("Formal", 5), ("Party", 1))
YEARS = ((2015, 3), (2016, 9), (2017, 14), (2018, 19), (2019, 18), (2020, 14), (2021, 10), (2022, 8), (2023, 5))
RELISTED_PERMILLE = 220  # products that share name, colour and category with another
EMPTY_PERMILLE = 4  # seasons, years and usages left empty

{#-
    The exact share of an amount in cents, sign left out: decimal(20,0) x decimal(12,8) fits decimal(33,8), so neither
    the product nor its floor is ever rounded.
-#}
{% macro share_in_cents(amount, ratio) -%}
    cast(abs({{ amount }}) * 100 as decimal(20, 0)) * {{ ratio }}
{%- endmacro %}

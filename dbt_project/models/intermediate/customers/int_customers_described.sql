{{ config(materialized='ephemeral') }}

with customers as (
    select * from {{ ref('int_customers_with_assets') }}
    where {{ is_loaded_date('business_date') }}
),

averages as (
    select * from {{ ref('int_customers_averaged') }}
),

last_trades as (
    select * from {{ ref('int_customers_last_traded') }}
),

turnovers as (
    select * from {{ ref('int_customers_turned_over') }}
),

preferences as (
    select * from {{ ref('int_customers_preferring') }}
),

profits as (
    select * from {{ ref('int_customers_profited') }}
),

main_staff as (
    select * from {{ ref('int_main_staff_chosen') }}
),

risks as (
    select * from {{ ref('int_risks_worst_by_customer') }}
),

repurchases as (
    select * from {{ ref('int_repurchases_worst_by_customer') }}
),

advised as (
    select * from {{ ref('int_customers_advised') }}
),

holdings as (
    select * from {{ ref('int_holdings_summed_to_customer') }}
),

offers as (
    select * from {{ ref('int_offers_summed_to_customer') }}
),

aml_grades as (
    select * from {{ ref('stg_gold__aml_grades') }}
),

institutions as (
    select * from {{ ref('int_institutions_chosen_by_customer') }}
),

permissions as (
    select * from {{ ref('int_permissions_listed_by_customer') }}
),

contacts as (
    select * from {{ ref('int_customers_contacted') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

freshness as (
    select * from {{ ref('int_freshness_pivoted_by_day') }}
),

quarantined as (
    select * from {{ ref('stg_gold__quarantined_customers') }}
),

final as (
    select
        customers.customer_id,
        customers.business_date as as_of_date,
        customers.customer_kind,
        customers.name_masked,
        customers.identity_kind,
        customers.identity_masked,
        customers.identity_token,
        customers.mobile_phone_masked,
        customers.mobile_phone_token,
        customers.birth_date,
        -- whole years at the date; a birthday on 29 February is kept on 1 March in other years
        year(customers.business_date) - year(customers.birth_date)
        - case
            when
                month(customers.business_date) * 100 + day(customers.business_date)
                < month(customers.birth_date) * 100 + day(customers.birth_date)
                then 1
            else 0
        end as age_years,
        customers.gender,
        customers.branch_id,
        branches.branch_name,
        branches.region_name,
        main_staff.main_staff_employee_id,
        main_staff.main_staff_name_masked,
        customers.cash_amount,
        customers.securities_amount,
        customers.restricted_amount,
        customers.in_transit_amount,
        customers.fund_amount,
        customers.credit_asset_amount,
        customers.credit_debt_amount,
        customers.credit_net_amount,
        customers.option_equity_amount,
        customers.repurchase_asset_amount,
        customers.repurchase_debt_amount,
        customers.pledge_debt_amount,
        customers.total_asset_amount,
        customers.net_asset_amount,
        averages.average_20d_sum_amount,
        averages.average_20d_days,
        averages.average_20d_asset_amount,
        averages.month_average_sum_amount,
        averages.month_average_days,
        averages.month_average_asset_amount,
        last_trades.last_trade_date,
        turnovers.turnover_30d_amount,
        turnovers.turnover_90d_amount,
        turnovers.turnover_365d_amount,
        preferences.favourite_instrument_kind,
        preferences.favourite_channel,
        profits.day_profit_amount,
        profits.month_profit_amount,
        profits.year_profit_amount,
        profits.month_net_asset_change_amount,
        customers.risk_level,
        customers.risk_test_expiry_date,
        datediff(customers.risk_test_expiry_date, customers.business_date) as risk_test_expiry_days,
        customers.risk_test_expiry_date < customers.business_date as is_risk_test_expired,
        aml_grades.aml_grade,
        aml_grades.aml_review_date,
        permissions.permissions,
        customers.has_pension_account,
        institutions.institution_kind,
        institutions.investor_class,
        institutions.registered_capital_amount,
        institutions.licence_expiry_date,
        institutions.contact_name_masked,
        customers.identity_expiry_date,
        datediff(customers.identity_expiry_date, customers.business_date) as identity_expiry_days,
        risks.minimum_maintenance_ratio,
        risks.margin_tier,
        risks.maximum_option_risk_degree,
        repurchases.minimum_guarantee_ratio,
        repurchases.guarantee_tier,
        repurchases.next_repurchase_date,
        -- no row means that nothing is agreed, paid or held
        coalesce(advised.advice_agreement_count, 0) as advice_agreement_count,
        advised.next_advice_end_date,
        coalesce(advised.fund_advice_amount, cast(0 as decimal(18, 2))) as fund_advice_amount,
        coalesce(advised.year_advice_fee_amount, cast(0 as decimal(18, 2))) as year_advice_fee_amount,
        coalesce(holdings.holding_count, 0) as holding_count,
        coalesce(holdings.mismatched_holding_count, 0) as mismatched_holding_count,
        holdings.next_option_expiry_date,
        holdings.next_product_maturity_date,
        offers.ipo_payment_due_date,
        coalesce(offers.ipo_unpaid_amount, cast(0 as decimal(18, 2))) as ipo_unpaid_amount,
        coalesce(offers.ipo_short_amount, cast(0 as decimal(18, 2))) as ipo_short_amount,
        offers.ipo_subscription_date,
        coalesce(offers.ipo_subscription_amount, cast(0 as decimal(18, 2))) as ipo_subscription_amount,
        coalesce(offers.ipo_subscription_short_amount, cast(0 as decimal(18, 2))) as ipo_subscription_short_amount,
        contacts.has_marketing_consent,
        contacts.is_do_not_call,
        contacts.last_call_date,
        contacts.last_call_result,
        contacts.last_reached_date,
        contacts.open_complaint_count,
        customers.customer_status,
        customers.member_count,
        customers.open_date,
        freshness.normal_as_of_date,
        freshness.credit_as_of_date,
        freshness.option_as_of_date,
        freshness.fund_as_of_date,
        freshness.advice_as_of_date,
        freshness.fund_advice_as_of_date,
        freshness.is_stale,
        freshness.is_partial,
        -- no row in quarantine means none is held back, not unknown
        coalesce(quarantined.held_row_count, 0) > 0 as has_quarantined_rows
    from customers
    left join averages
        on
            customers.customer_id = averages.customer_id
            and customers.business_date = averages.business_date
    left join last_trades
        on
            customers.customer_id = last_trades.customer_id
            and customers.business_date = last_trades.business_date
    left join turnovers
        on
            customers.customer_id = turnovers.customer_id
            and customers.business_date = turnovers.business_date
    left join preferences
        on
            customers.customer_id = preferences.customer_id
            and customers.business_date = preferences.business_date
    left join profits
        on
            customers.customer_id = profits.customer_id
            and customers.business_date = profits.business_date
    left join main_staff
        on
            customers.customer_id = main_staff.customer_id
            and customers.business_date = main_staff.business_date
    left join risks
        on
            customers.customer_id = risks.customer_id
            and customers.business_date = risks.business_date
    left join repurchases
        on
            customers.customer_id = repurchases.customer_id
            and customers.business_date = repurchases.business_date
    left join advised
        on
            customers.customer_id = advised.customer_id
            and customers.business_date = advised.business_date
    left join holdings
        on
            customers.customer_id = holdings.customer_id
            and customers.business_date = holdings.business_date
    left join offers
        on
            customers.customer_id = offers.customer_id
            and customers.business_date = offers.business_date
    left join aml_grades
        on
            customers.customer_id = aml_grades.customer_id
            and customers.business_date = aml_grades.business_date
    left join institutions
        on
            customers.customer_id = institutions.customer_id
            and customers.business_date = institutions.business_date
    left join permissions
        on
            customers.customer_id = permissions.customer_id
            and customers.business_date = permissions.business_date
    left join contacts
        on
            customers.customer_id = contacts.customer_id
            and customers.business_date = contacts.business_date
    left join branches
        on
            customers.branch_id = branches.branch_id
            and customers.business_date = branches.business_date
    left join freshness on customers.business_date = freshness.business_date
    left join quarantined
        on
            customers.customer_id = quarantined.customer_id
            and customers.business_date = quarantined.business_date
)

select * from final
